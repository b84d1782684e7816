"""Reports to read, compare and merge: four small cases, two of them wrong, and edits of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from networks import NETWORKS

from mlp_ref.corpus import Corpus
from mlp_ref.gate.compare import compare
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.report_jsonl import header_line, result_lines, summary_line
from mlp_ref.gate.results import Report, read_report, summarize
from mlp_ref.gate.run import Summary, run_case
from mlp_ref.subjects import Subject, network_subject
from mlp_ref.subjects.numpy_subject import run as right

Record = dict[str, Any]
Records = list[Record]
Edit = Callable[[Records], object]

CORPUS = Corpus("2026.1", "0123456789abcdef" * 4, (), Path())
CASES = [case for case in NETWORKS if case.id.startswith("mlp/batch-7/")][:4]
FIRST, SECOND, THIRD, FOURTH = (case.id for case in CASES)
CASE64 = next(case.id for case in CASES if case.id.endswith("float64"))
Z0 = f"{CASE64} z0"
KNOWN = Expectation(
    "known", "mine", "1.2", "measured", "because", {THIRD: {"dx": 9.0}, FIRST: {"db0": 9.0}}
)


def run(**question: Any) -> Any:
    """No g, db1 twice; in the third case another dtype of z0, and dx wrong as expected."""
    answer = dict(right(**question))
    del answer["g"]
    if (question["activations"], question["loss"]) == THIRD_ASKED:
        answer |= {"db1": 2 * answer["db1"], "dx": answer["dx"] * 1.5}
        answer["z0"] = answer["z0"].astype("f2")
    return answer


THIRD_ASKED = (CASES[2].keywords()["activations"], CASES[2].keywords()["loss"])
SUBJECT = network_subject("mine", run, ("float32", "float64"), {"mine": "1.2"})


def written(shard: tuple[int, int] | None = None, subject: Subject = SUBJECT) -> str:
    """The report of a run over the cases or a shard of them, as verify writes it."""
    cases = CASES[shard[0] - 1 :: shard[1]] if shard else CASES
    summary = Summary(1, (KNOWN,), {"known": ["no-case g"]})
    lines = [
        header_line(
            subject, CORPUS, ("float32", "float64"), len(cases), shard=shard, total=len(CASES)
        )
    ]
    for case in cases:
        report = run_case(subject, case, (KNOWN,))
        summary.add(report)
        lines += result_lines(report)
    return "".join([*lines, summary_line(summary)])


@cache
def _plain() -> str:
    return written()


def plain() -> Records:
    """The records of the report of all cases."""
    return [json.loads(line) for line in _plain().splitlines()]


def save(path: str, records: Records) -> str:
    """Write records as they are."""
    Path(path).write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def counted(path: str, records: Records) -> str:
    """Write records with a header and a summary that count them."""
    header, *results = records[:-1]
    header["cases"] = header["total"] = len({record["case"] for record in results})
    cases = read_report(save(path, [header, *results])).cases
    return save(path, [header, *results, json.loads(summary_line(summarize(cases)))])


def find(records: Records, case: str, tensor: str) -> Record:
    """The line of a tensor."""
    (found,) = [r for r in records if (r.get("case"), r.get("tensor")) == (case, tensor)]
    return found


def without_numbers(record: Record, verdict: str, reason: str = "why") -> None:
    """Make a line one of a tensor that was not compared."""
    names = ("got", "expected", "error", "bound", "ratio", "ulp", "digits", "index", "expectation")
    record |= dict.fromkeys(names) | {"verdict": verdict, "reason": reason}
    record |= {"failed": 1 if verdict == "fail" else 0}


def with_ratio(record: Record, ratio: float, ulps: float = 0.0) -> None:
    """Give a line of a float64 case a ratio and an error of so many units; 1 is expected of it."""
    error = ulps * 2.0**-52
    got = 1 + error
    bound = error / ratio if ratio else 1.0
    record |= {"expected": 1.0, "got": got, "error": error, "bound": bound}
    record |= {"ratio": error / bound, "verdict": "pass", "failed": 0, "reason": ""}
    if record["ratio"] > 1:
        record |= {"verdict": "fail", "failed": 1, "reason": "outside the bound"}


def nothing(records: list[Record]) -> None:
    """No edit."""


def report(edit: Edit = nothing) -> Report:
    """The plain report after an edit, with a summary that counts it."""
    records = plain()
    edit(records)
    return read_report(counted("own.jsonl", records))


def changes(base: Edit, head: Edit, **options: Any) -> dict[str, list[str]]:
    """What changed, and where."""
    found: dict[str, list[str]] = {}
    for d in compare(report(base), report(head), **options).differences:
        line = d.after or d.before
        assert line is not None
        found.setdefault(str(d.change), []).append(f"{d.case} {line.result.tensor}")
    return found


def skipped(case: str, tensor: str) -> Edit:
    """Make a tensor a skipped one."""
    return lambda records: without_numbers(find(records, case, tensor), "skip")


def erring(case: str, tensor: str) -> Edit:
    """Make a tensor an error."""
    return lambda records: without_numbers(find(records, case, tensor), "error")


def refused(case: str, tensor: str) -> Edit:
    """Make a tensor one of a wrong shape."""
    return lambda records: without_numbers(find(records, case, tensor), "fail")


def ratio(value: float, ulps: float = 8.0) -> Edit:
    """Give z0 of the float64 case that ratio, and an error of so many units in the last place."""
    return lambda records: with_ratio(find(records, CASE64, "z0"), value, ulps)


def gone(case: str, *tensors: str) -> Edit:
    """Take tensors of a case out, or all."""

    def edit(records: list[Record]) -> None:
        records[:] = [
            r for r in records
            if r.get("case") != case or (tensors and r["tensor"] not in tensors)
        ]  # fmt: skip

    return edit


def update(case: str, tensor: str, **values: Any) -> Edit:
    """Change a line."""
    return lambda records: find(records, case, tensor).update(values)


def wrong(entries: int, failed: int) -> Edit:
    """z0 of the float64 case, twice its bound off, in some entries."""

    def edit(records: list[Record]) -> None:
        ratio(2.0)(records)
        find(records, CASE64, "z0").update(entries=entries, failed=failed)

    return edit


def leave_out(case: str, tensor: str) -> Edit:
    """Take one tensor out."""
    return lambda records: records.remove(find(records, case, tensor))
