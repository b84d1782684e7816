"""One HTML file of one or several reports: for the eye, offline, without a script.

Text from outside is escaped by the template and cleaned of control characters; the page fetches
nothing, which its own policy forbids as well. The same reports give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, isnan
from typing import Any

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import fail
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_map import map_of
from mlp_ref.gate.report_pictures import Scale, draw_digits, draw_ratios, scale_of
from mlp_ref.gate.report_view import STATES, Column, columns, hint_of, ratio_of
from mlp_ref.gate.results import Line, Report
from mlp_ref.gate.tally import OF_DIGEST, clip, digits, entry, plural

__all__ = ["render"]

_NAME, _TEXT = 200, 1000  # characters of text from outside
_DIAGNOSES = 8
_HINTS, _AT_LENGTH, _SHORT, _TENSORS, _CLOSEST, _REASONS = 3, 6, 60, 6, 8, 40


def render(reports: Sequence[Report]) -> str:
    """The page.

    Raises `InputError` if there is no report, if they are about different corpora, or if jinja2 or
    matplotlib are not installed.
    """
    shown = columns(reports)
    try:
        import matplotlib  # noqa: F401, ICN001 (for the pictures)
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        fail(
            "the HTML report needs jinja2 and matplotlib", f"no module {error.name}",
            "pip install 'mlp-ref[gate]'",
        )  # fmt: skip
    environment = Environment(
        loader=PackageLoader("mlp_ref.gate", "templates"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=StrictUndefined,
    )  # fmt: skip
    environment.filters |= {
        "clean": _clean, "count": "{:,}".format, "digits": digits, "entry": entry,
        "plural": plural, "size": "{:.3g}".format,
    }  # fmt: skip
    header = shown[0].report.header
    page: str = environment.get_template("report.html.j2").render(
        subjects=[_subject(column, k) for k, column in enumerate(shown)], header=header,
        of_digest=OF_DIGEST, pictures=list(_pictures(shown)), map=map_of(shown), states=STATES,
    )  # fmt: skip
    return page


def _clean(text: object, most: int = _NAME) -> str:
    """Text from outside: on one line, not longer than a page can bear."""
    return clip(" ".join(str(text).split()), most)


# ---------------------------------------------------------------------------------- each subject


def _subject(column: Column, number: int) -> dict[str, Any]:
    """Verdict, counts, what was judged by what, and the entries that matter."""
    state, word = column.verdict
    hints = column.hints().most_common()
    wrong, excuses = column.failing("fail"), dict[str, list[Line]]()
    for line in column.report.results.values():
        if line.expectation:
            excuses.setdefault(line.expectation, []).append(line)
    summary = column.report.summary or {}
    return {
        "id": f"s{number}", "label": column.label, "state": state, "word": word,
        "sentence": _sentence(column), "counted": column.counted, "facts": list(_facts(column)),
        "hints": hints[:_HINTS], "more_hints": len(hints) - _HINTS, "tensors": _outcomes(column),
        "failing": [_failing(case, lines) for case, lines in list(wrong.items())[:_AT_LENGTH]],
        "short": [
            _failing(case, lines) for case, lines in list(wrong.items())[_AT_LENGTH:][:_SHORT]
        ],
        "more_failing": max(0, len(wrong) - _AT_LENGTH - _SHORT), "wrong": len(wrong),
        "excuses": [_excuse(known, found) for known, found in excuses.items()],
        "closest": column.closest(_CLOSEST),
        "stale": [
            (known, what, list(names)[:_REASONS], max(0, len(names) - _REASONS))
            for key, what in (("stale", "passes now"), ("unknown", "does not exist"))
            for known, names in summary.get(key, {}).items()
        ],
        "diagnoses": column.diagnoses[:_DIAGNOSES],
        "errors": _reasons(column, Verdict.ERROR), "skips": _reasons(column, Verdict.SKIP),
    }  # fmt: skip


def _sentence(column: Column) -> str:
    """What the verdict means, with its denominator."""
    counted, summary, header = column.counted, column.report.summary, column.report.header
    whole = sum(counted.cases.values())
    if summary is None:
        says = f"The run ended after {whole:,} of {header.cases:,} cases"
    else:
        says = {
            0: "Conforms" + " where it was judged" * bool(counted.cases[Verdict.SKIP]),
            1: "Does not conform",
            3: "Was judged on fewer cases than required",
            5: "Conforms, but an expected failure is none",
        }[summary["status"]]
    unexpected = counted.cases[Verdict.FAIL] - counted.expected_cases
    parts = [f"{counted.cases[Verdict.PASS]:,} of {plural(whole, 'case')} pass"] + [
        f"{n:,} {what}"
        for n, what in (
            (unexpected, "fail"), (counted.cases[Verdict.ERROR], "end in an error"),
            (counted.expected_cases, "fail as expected"),
            (counted.cases[Verdict.SKIP], "are skipped"),
        )
        if n
    ]  # fmt: skip
    return f"{says}: {', '.join(parts)}."


def _facts(column: Column) -> Iterator[tuple[str, str]]:
    header, record = column.report.header, column.report.header.record
    yield "subject", header.subject
    yield "versions", ", ".join(f"{k} {v}" for k, v in header.versions.items()) or "none stated"
    yield "operations", ", ".join(header.operations)
    yield "arithmetics", ", ".join(header.arithmetics)
    if record.get("only") is not None:
        yield "cases", f"those that match {record['only']!r}"
    if header.shard:
        k, n = header.shard
        yield "shard", f"{k}/{n}: {header.cases:,} of {header.total:,} cases"
    names = {"mlp_ref": "mlp_ref", "python": "Python", "numpy": "NumPy", "machine": "machine"}
    for key, name in names.items():
        if key in record:
            yield name, str(record[key])
    yield "report", column.report.path.name


def _outcomes(column: Column) -> dict[str, int]:
    """Where each tensor stands: every one counts once."""
    found = dict.fromkeys(
        ("exact", "within the bound", "refused, rightly", "outside the bound", "infinite or NaN",
         "not comparable", "error", "skip"), 0,
    )  # fmt: skip
    for line in column.report.results.values():
        result = line.result
        measured, beyond = not isnan(result.ratio), result.ratio == inf
        if result.verdict == Verdict.PASS:
            name = "within the bound" if measured and result.ratio else "exact"
            found[name if measured else "refused, rightly"] += 1
        elif result.verdict == Verdict.FAIL:
            name = "infinite or NaN" if beyond else "outside the bound"
            found[name if measured else "not comparable"] += 1
        else:
            found[str(result.verdict)] += 1
    return found


def _failing(case: str, lines: Sequence[Line]) -> dict[str, Any]:
    """The first tensor, which shows the origin, and the worst of the others, in their order."""
    first, *others = lines
    worst = {id(x) for x in sorted(others, key=_badness, reverse=True)[: _TENSORS - 1]}
    kept = [first, *(line for line in others if id(line) in worst)]
    return {
        "case": case, "hint": hint_of(lines), "lines": kept,
        "more": [line.result.tensor for line in others if id(line) not in worst],
    }  # fmt: skip


def _badness(line: Line) -> float:
    """What cannot be compared is as wrong as can be."""
    return inf if isnan(line.result.ratio) else line.result.ratio


def _excuse(known: str, found: Sequence[Line]) -> dict[str, Any]:
    return {
        "id": known, "lines": found[:_SHORT], "more": max(0, len(found) - _SHORT),
        "tensors": len(found), "cases": len({line.case for line in found}),
    }  # fmt: skip


def _reasons(column: Column, verdict: Verdict) -> dict[str, Any]:
    found = column.reasons(verdict)
    return {"rows": found[:_REASONS], "more": max(0, len(found) - _REASONS)}


# ---------------------------------------------------------------------------------- pictures


def _pictures(shown: Sequence[Column]) -> Iterator[dict[str, Any]]:
    """For each arithmetic, both pictures of each subject that was asked in it."""
    for arithmetic in ARITHMETICS:
        asked = [
            (column, [x for x in column.report.results.values() if _in(x, arithmetic)])
            for column in shown
        ]
        scale = scale_of(line for _, lines in asked for line in lines)
        if scale.rows:
            yield {
                "arithmetic": arithmetic,
                "panels": [
                    _panel(f"p{k}-{arithmetic}", column, lines, scale, arithmetic)
                    for k, (column, lines) in enumerate(asked)
                    if lines
                ],
                "others": [column.label for column, lines in asked if not lines],
            }


def _in(line: Line, arithmetic: str) -> bool:
    return line.case.rpartition("/")[2] == arithmetic


def _panel(
    name: str, column: Column, lines: Sequence[Line], scale: Scale, arithmetic: str
) -> dict[str, Any]:
    judged = [line for line in lines if line.result.verdict != Verdict.SKIP]
    passed = sum(line.result.verdict == Verdict.PASS for line in judged)
    says = f"{passed:,} of {plural(len(judged), 'judged tensor')} passed"
    largest = ratio_of(lines)
    if largest is not None:
        says += f", largest error/bound {digits(largest)}"
    return {
        "label": column.label, "says": says,
        "ratios": draw_ratios(f"{name}-r", lines, scale),
        "digits": draw_digits(f"{name}-d", lines, scale, arithmetic),
    }  # fmt: skip
