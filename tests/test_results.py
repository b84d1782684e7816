"""Reading reports: what verify writes is read, and whatever contradicts itself is refused."""

from __future__ import annotations

import json
from math import inf, isnan
from pathlib import Path

import pytest
from report_files import (
    FIRST,
    KNOWN,
    SECOND,
    THIRD,
    Edit,
    counted,
    find,
    plain,
    save,
    without_numbers,
    written,
)

from mlp_ref.checks import InputError
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.results import read_report


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_report_is_read() -> None:
    """Header, every result by case and tensor, and the summary, with the file's own bytes."""
    Path("own.jsonl").write_text(written())
    report = read_report("own.jsonl")
    assert (report.header.named, report.header.cases, report.header.shard) == ("mine 1.2", 4, None)
    assert report.summary is not None
    assert report.summary["status"] == 1
    assert report.content == Path("own.jsonl").read_bytes()
    assert "".join(f"{line.text}\n" for line in report.results.values()) in written()
    wrong = report.results[THIRD, "dx"]
    assert (wrong.expectation, wrong.result.verdict) == (KNOWN.id, Verdict.FAIL)
    assert wrong.result.ratio > 1
    assert isnan(report.results[THIRD, "z0"].result.ratio)
    assert report.results[FIRST, "g"].result.verdict == Verdict.SKIP


def test_a_shard_is_read() -> None:
    """A shard says which of how many it is; its cases are counted."""
    Path("own.jsonl").write_text(written((2, 3)))
    header = read_report("own.jsonl").header
    assert (header.shard, header.cases, header.total) == ((2, 3), 1, 4)


def test_an_older_report_is_read() -> None:
    """Without the keys shard and total it is about all cases."""
    records = plain()
    for key in ("shard", "total", "only"):
        records[0].pop(key, None)
    header = read_report(save("own.jsonl", records)).header
    assert (header.shard, header.total) == (None, 4)


def test_line_ends_of_windows_are_read() -> None:
    """A baseline that a version control system converted is the same report."""
    Path("own.jsonl").write_bytes(written().replace("\n", "\r\n").encode())
    assert len(read_report("own.jsonl").results) == len(plain()) - 2


@pytest.mark.parametrize("lines", [1, 2, 9])
def test_a_run_that_was_cut_short_has_no_summary(lines: int) -> None:
    """Whole lines without a summary are read as far as they go."""
    report = read_report(save("own.jsonl", plain()[:lines]))
    assert report.summary is None
    assert len(report.results) == lines - 1


def test_nan_and_infinities_are_read() -> None:
    """A number that is NaN has a ratio of inf; both are texts in the file."""
    records = plain()
    wrong = find(records, FIRST, "loss")
    wrong |= {"got": "nan", "error": "nan", "ratio": "inf", "ulp": "nan", "digits": "nan"}
    wrong |= {"verdict": "fail", "failed": 1, "reason": "outside the bound"}
    result = read_report(counted("own.jsonl", records)).results[FIRST, "loss"].result
    assert isnan(result.got)
    assert result.ratio == inf


CHANGED = [
    (
        0,
        {"kind": "result"},
        "line 1 must be a header, with which a report begins; got str 'result'",
    ),
    (0, {"format": 2}, "line 1 must be of format 1; got int 2"),
    (0, {"format": True}, "line 1 must have a count as 'format'; got bool True"),
    (0, {"cases": 5, "total": 5}, "must stand below the 5 cases of the header; got int 4"),
    (0, {"cases": 3, "total": 3}, "must stand below the 3 cases of the header; got int 4"),
    (0, {"total": 9}, "line 1 must have its 4 cases as 'total'; got int 9"),
    (0, {"shard": [0, 3]}, "must have [K, N] with K from 1 to N as 'shard'; got str '[0, 3]'"),
    (0, {"shard": [1, 3]}, "line 1 must have 2 of 4 cases, as shard 1/3; got int 4"),
    (0, {"shard": "1/3"}, "line 1 must have a list of counts as 'shard'; got str '1/3'"),
    (0, {"arithmetics": ["float65"]}, "line 1 must name arithmetics, float64, float32, tf32"),
    (0, {"versions": {"mine": 1}}, "must have a mapping to texts as 'versions'; got a dict"),
    (0, {"x": [[[[[]]]]]}, "line 1 must hold lists and mappings 4 deep at most; got more"),
    (1, {"kind": "header"}, "line 2 must be a result or a summary; got str 'header'"),
    (1, {"kind": "other"}, "line 2 must be a result or a summary; got str 'other'"),
    (1, {"case": "mlp/mine"}, "line 2 must be of a case in float32 or float64; got str 'mlp/mi"),
    (1, {"verdict": "good"}, "line 2 must have a verdict as 'verdict'; got str 'good'"),
    (1, {"verdict": ["pass"]}, "line 2 must have a verdict as 'verdict'; got a list"),
    (1, {"verdict": "skip"}, "must have null as 'ratio', for its verdict is skip; got float"),
    (1, {"verdict": "fail"}, "must count its wrong entries, for its verdict is fail; got int 0"),
    (1, {"failed": 1}, "must count its wrong entries, for its verdict is pass; got int 1"),
    (1, {"entries": -1}, "line 2 must have a count as 'entries'; got int -1"),
    (1, {"entries": 2}, "as the lines do; got int"),
    (1, {"inconclusive": 3}, "as the lines do; got int"),
    (1, {"ratio": 0.1}, "line 2 must have error / bound as 'ratio'; got float 0.1"),
    (1, {"ratio": "nan"}, "line 2 must have a number as 'ratio'; got str 'nan'"),
    (1, {"ratio": None}, "line 2 must have null, as 'ratio' is, as 'got'; got float"),
    (1, {"ratio": "0.5"}, "line 2 must have a number as 'ratio'; got str '0.5'"),
    (1, {"got": True}, "line 2 must have a number as 'got'; got bool True"),
    (1, {"got": 9.0}, "line 2 must have |got - expected| as 'error'; got float"),
    (1, {"bound": 9.0}, "line 2 must have error / bound as 'ratio'; got float"),
    (1, {"index": [-1]}, "line 2 must have a list of counts as 'index'; got a list"),
    (1, {"expectation": "known"}, "must have null as 'expectation', for it does not fail; got str"),
    (
        2,
        {"tensor": "z0"},
        f"line 3 must be about a tensor that has no line yet; got str '{FIRST} z0'",
    ),
    (2, {"case": "a/float32"}, f"line 4 must stand with the others of its case; got str '{FIRST}'"),
    (-1, {"entries": 7}, "must count "),
    (-1, {"status": 0}, "must have the status 1; got int 0"),
    (-1, {"status": 3}, "must have the status 1; got int 3"),
    (
        -1,
        {"cases": {}},
        "must count as the lines do, pass 3 fail 1 error 0 skip 0; got str 'cases: '",
    ),
    (
        -1,
        {"expected_failures": 2},
        "must count 1 as 'expected_failures', as the lines do; got int 2",
    ),
    (-1, {"stale": {"known": ["a b"]}}, "must name a tensor that passes as stale; got str 'a b'"),
    (
        -1,
        {"stale": {"known": "a b"}},
        "must have a mapping to lists of texts as 'stale'; got a dict",
    ),
]


@pytest.mark.parametrize(("line", "change", "text"), CHANGED)
def test_a_contradiction_is_refused(line: int, change: dict[str, object], text: str) -> None:
    """One line that names the file, the line of it, what must hold, and the remedy."""
    records = plain()
    records[line] |= change
    with pytest.raises(InputError) as caught:
        read_report(save("own.jsonl", records))
    message = str(caught.value)
    assert message.startswith("'own.jsonl' line ")
    assert text in message
    assert message.endswith("; write it again with mlp-ref verify --jsonl")
    assert "\n" not in message


@pytest.mark.parametrize("line", [0, 1, -1])
def test_every_key_must_be_there(line: int) -> None:
    """A line without one of the keys that are read is refused, and the key named."""
    unread = {
        "mlp_ref",
        "operations",
        "only",
        "shard",
        "total",
        "python",
        "numpy",
        "machine",
        "hint",
        "note",
    }
    for key in plain()[line].keys() - unread:
        records = plain()
        del records[line][key]
        with pytest.raises(InputError, match=f"must have the key '{key}'; got none; "):
            read_report(save("own.jsonl", records))


EDITS: list[tuple[Edit, str]] = [
    (lambda r: r.clear(), "'own.jsonl' must begin with a header; got an empty file; write"),
    (lambda r: r.pop(0), "line 1 must be a header"),
    (lambda r: r.insert(1, r[0]), "line 2 must be a result or a summary; got str 'header'"),
    (lambda r: r.append(r[-1]), "must be none, for a report ends with its summary; got str 'summ"),
    (lambda r: r.append(r[1]), "must be none, for a report ends with its summary; got str 'resul"),
    (lambda r: r.insert(2, r[1]), "line 3 must be about a tensor that has no line yet"),
    (lambda r: r.pop(4), "must count as the lines do, pass "),
    (
        lambda r: r.__delitem__(slice(1, 13)),
        "must stand below the 4 cases of the header; got int 3",
    ),
    (lambda r: r[0].update(cases=1, total=1), "must stand below the 1 cases of the header"),
    (lambda r: without_numbers(r[1], "pass"), "must have a number as 'ratio'; got NoneType None"),
]


@pytest.mark.parametrize(("edit", "text"), EDITS)
def test_lines_too_many_or_too_few_are_refused(edit: Edit, text: str) -> None:
    """Header first and once, every tensor once, the summary last and once."""
    records = plain()
    edit(records)
    with pytest.raises(InputError) as caught:
        read_report(save("own.jsonl", records))
    assert text in str(caught.value)


def test_more_cases_than_announced_are_refused_without_a_summary() -> None:
    """Of a run that was cut short, the header still bounds the cases."""
    records = plain()[:-1]
    records[0] |= {"cases": 2, "total": 2}
    with pytest.raises(InputError, match="line 1 must count the 4 cases that follow; got int 2"):
        read_report(save("own.jsonl", records))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"", "must be JSON; got 'Expecting value"),
        (b"{", "must be JSON; got "),
        (b"7", "must be a JSON object; got int 7"),
        (b"[]", "must be a JSON object; got a list"),
        (b"\xff", "must be JSON; got \"'utf-8' codec can't decode"),
        (b'{"kind": NaN}', "must be JSON; got 'NaN is no number in JSON'"),
        (b'{"kind": 1, "kind": 2}', "must be JSON; got 'a key occurs twice'"),
        (b'{"kind": ' + b"[" * 100_000, "must be JSON; got "),
        (b'{"kind": ' + b"9" * 10_000 + b"}", "must be JSON; got "),
        (b'{"a": ' + b"[" * 500 + b"]" * 500 + b"}", "must hold lists and mappings 4 deep at most"),
    ],
)
def test_what_is_no_json_object_is_refused(line: bytes, text: str) -> None:
    """Blank lines, halves of lines, other bytes, constants, repeated keys and deep nesting."""
    lines = Path(save("own.jsonl", plain())).read_bytes().splitlines()
    Path("own.jsonl").write_bytes(b"\n".join([*lines[:3], line, *lines[3:]]))
    with pytest.raises(InputError) as caught:
        read_report("own.jsonl")
    assert str(caught.value).startswith(f"'own.jsonl' line 4 {text}")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400])
def test_numbers_beyond_float64_are_refused(number: str) -> None:
    """JSON can write them, no result has them."""
    text = json.dumps(plain()[1] | {"got": "here"}).replace('"here"', number)
    lines = Path(save("own.jsonl", plain())).read_text().splitlines()
    Path("own.jsonl").write_text("\n".join([lines[0], text, *lines[2:]]))
    with pytest.raises(InputError, match="line 2 must have a number as 'got'; got "):
        read_report("own.jsonl")


def test_a_file_that_is_not_there_is_refused() -> None:
    """The name, the reason and the remedy."""
    with pytest.raises(InputError, match="'no' must be a file that can be read; got 'No such file"):
        read_report("no")


def test_the_number_of_required_cases_is_free() -> None:
    """A report does not say how many cases were required: 3 is possible unless something fails."""
    records = plain()
    for case in (THIRD, SECOND):
        for record in records:
            if record.get("case") == case:
                without_numbers(record, "skip")
    path = counted("own.jsonl", records)
    good = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert good[-1]["status"] == 0
    good[-1]["status"] = 3
    assert read_report(save("own.jsonl", good)).summary == good[-1]
