"""JUnit XML, for the viewers that CI services have: one test suite per arithmetic, one test a case.

A viewer shows red exactly when the exit status is not 0:

    verdict                             element
    pass                                none
    fail                                <failure>, of the first tensor that fails unexpectedly
    fail, and all of it was expected    <skipped type="expected-failure">, with the expectation
    error                               <error>
    skip                                <skipped type="not-judged">, with the reasons

What is wrong with the run as a whole has no case to stand with: too few judged cases, and stale
expectations. Each is a failing test in a suite of its own, which is absent otherwise. So the other
suites count what the summary counts, save that expected failures count as skipped.

Only times differ between two runs; a case that an earlier, killed run had finished takes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isnan
from xml.etree import ElementTree as ET

import numpy as np

from mlp_ref import __version__
from mlp_ref.corpus import Corpus
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import CaseReport, Summary
from mlp_ref.gate.tally import clip, digits, entry, error_text, name_of, outcome, plural, visible
from mlp_ref.subjects import Session

__all__ = ["render"]

_NAME, _MESSAGE, _TEXT = 200, 500, 4000  # characters: a viewer shows so much, and no subject more


def render(
    subject: Session,
    corpus: Corpus,
    reports: Iterable[CaseReport],
    summary: Summary,
    part: str = "",
) -> str:
    """The document, in UTF-8 when it is written.

    ``part`` says which part of the cases was asked, if not all were.
    """
    suites: dict[str, list[CaseReport]] = {}
    for report in reports:
        suites.setdefault(report.case.arithmetic.name, []).append(report)
    name = clip(subject.name, _NAME)
    root = ET.Element("testsuites", {"name": f"mlp-ref verify {name}"})
    properties = {
        "subject": name,
        **{f"version of {key}": version for key, version in subject.versions.items()},
        "mlp_ref": __version__,
        "numpy": np.__version__,
        "corpus": corpus.version,
        "corpus_sha256": corpus.sha256,
        **({"part": part} if part else {}),
        "verdict": outcome(name_of(subject), summary)[0],
        "status": str(summary.status),
    }
    for arithmetic, members in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": f"{name} {arithmetic}"})
        _properties(suite, {**properties, "arithmetic": arithmetic})
        for report in members:
            _case(suite, report)
        _count(suite, sum(report.seconds for report in members))
    if complaints := list(_complaints(summary)):
        suite = ET.SubElement(root, "testsuite", {"name": f"{name}, the run as a whole"})
        _properties(suite, properties)
        for test, message in complaints:
            case = _test(suite, "mlp-ref.run", test, 0.0)
            _child(case, "failure", test.partition(":")[0], message)
        _count(suite, 0.0)
    _count(root, summary.seconds)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _complaints(summary: Summary) -> Iterator[tuple[str, str]]:
    """What is wrong with the run as a whole: the name of a test, and what it says."""
    if summary.judged < summary.require:
        yield (
            "require",
            f"{plural(summary.judged, 'case')} judged, where {summary.require:,} are required",
        )
    for known, names in summary.stale.items():
        for name in names:
            yield f"stale: {name}", f"{known} expects a failure of {name}, which passes now"
    for known, unknown in summary.unknown.items():
        for name in unknown:
            yield f"unknown: {name}", f"{known} expects a failure of {name}, which does not exist"


def _case(suite: ET.Element, report: CaseReport) -> None:
    family = ".".join(report.case.id.split("/")[:2])  # viewers group by the dots
    case = _test(suite, family, report.case.id, report.seconds)
    measured = [result for result in report.results if not isnan(result.ratio)]
    if measured:
        worst = max(measured, key=lambda result: (result.verdict == Verdict.FAIL, result.ratio))
        _properties(case, {"worst error/bound": digits(worst.ratio), "worst entry": entry(worst)})
    reasons = list(dict.fromkeys(result.reason for result in report.results if result.reason))
    if report.verdict == Verdict.ERROR:
        _child(case, "error", "error", *reasons)
    elif report.unexpected:
        _failure(case, report)
    elif report.failures:
        names = sorted({report.expectations[result.tensor] for result in report.failures})
        message = f"expected failure: {', '.join(names)}"
        _child(case, "skipped", "expected-failure", message, *_numbers(report))
    elif report.verdict == Verdict.SKIP:
        _child(case, "skipped", "not-judged", *reasons)
    elif skipped := [r for r in report.results if r.verdict == Verdict.SKIP]:
        note = ET.SubElement(case, "system-out")
        note.text = "\n".join(f"{r.tensor}: {clip(r.reason, _MESSAGE)}" for r in skipped)


def _failure(case: ET.Element, report: CaseReport) -> None:
    """The first tensor that fails unexpectedly at length, because it shows the origin."""
    first = report.unexpected[0]
    measured = not isnan(first.ratio)
    said = f"got {first.got!r}, expected {first.expected!r}" if measured else first.reason
    lines = [f"first wrong  {entry(first)}: {first.reason}"]
    if measured:
        lines += [
            f"got          {first.got!r}",
            f"expected     {first.expected!r}",
            f"error        {error_text(first)}",
        ]
    lines += [f"hint         {report.hint}"] if report.hint else []
    _child(
        case, "failure", "outside-bound" if measured else "not-comparable",
        f"{entry(first)}: {said}", f"case         {report.case.note}", *lines, "",
        *_numbers(report),
    )  # fmt: skip


def _numbers(report: CaseReport) -> Iterator[str]:
    """A line for each tensor that fails."""
    for result in report.failures:
        known = report.expectations.get(result.tensor)
        what = result.reason if isnan(result.ratio) else error_text(result)
        yield f"{entry(result)}: {what}{f' (expected: {known})' if known else ''}"


def _test(suite: ET.Element, classname: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", {"classname": classname, "name": name, "time": f"{seconds:.3f}"}
    )


def _child(case: ET.Element, tag: str, kind: str, message: str, *lines: str) -> None:
    child = ET.SubElement(case, tag, {"type": kind, "message": clip(message, _MESSAGE)})
    child.text = clip("\n".join(lines or (message,)), _TEXT)


def _properties(parent: ET.Element, values: Mapping[str, str]) -> None:
    holder = ET.SubElement(parent, "properties")
    for name, value in values.items():
        text = {"name": visible(name), "value": clip(value, _NAME)}
        ET.SubElement(holder, "property", text)


def _count(suite: ET.Element, seconds: float) -> None:
    """Count what is in a suite, or in all of them."""
    counts = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for name, tag in counts.items():
        suite.set(name, str(sum(1 for _ in suite.iter(tag))))
    suite.set("time", f"{seconds:.3f}")
