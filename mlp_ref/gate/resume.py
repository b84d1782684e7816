"""A run that was killed: what it had finished, read back from the lines that it left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from mlp_ref.checks import InputError, fail
from mlp_ref.files import quote
from mlp_ref.gate.cases import Case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.report_jsonl import read_results
from mlp_ref.gate.run import CaseReport

__all__ = ["finished"]

_REMEDY = "leave --resume out to begin anew"


def finished(
    path: Path, header: str, cases: Sequence[Case], expectations: Sequence[Expectation] = ()
) -> list[CaseReport]:
    """The cases that a killed run of the same cases had finished, the first ones, in order.

    Its last line may be half written, and its last case not complete: that case is not counted. If
    there is no file, or not even a header in it, nothing was finished.

    Raises `InputError` if the file is of another run than ``header`` says, or was not left by a
    run.
    """
    if not path.exists():
        return []
    try:
        first, *lines = path.read_text("ascii").split("\n")[:-1] or [""]
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{quote(path)} must hold the lines of a run", repr(str(error)), _REMEDY)
    if not first:
        return []
    if first != header.rstrip("\n"):
        _refuse(path, first, header)
    try:
        reports = list(read_results([f"{line}\n" for line in lines], cases, expectations))
    except InputError as error:
        raise InputError(f"{quote(path)} must be as a run left it: {error}; {_REMEDY}") from None
    tensors = sum(len(report.case.tensors) for report in reports)
    if len(reports) == len(cases) and len(lines) > tensors + 1:  # one more is its summary
        fail(f"{quote(path)} must have {tensors:,} results", f"{len(lines):,} lines", _REMEDY)
    return reports


def _require_code(path: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """What was judged before may not hold for a subject that was changed since."""
    if ours.get("subject_sha256") != theirs["subject_sha256"]:
        fail(
            f"{quote(path)} must be of {ours['subject']} as it is now",
            "a report of other files, which were changed since", _REMEDY,
        )  # fmt: skip


def _refuse(path: Path, first: str, header: str) -> NoReturn:
    """Say in what the runs differ."""
    ours, theirs = json.loads(header), {}
    with suppress(ValueError, TypeError, RecursionError):
        theirs = dict(json.loads(first))
    if "subject_sha256" in theirs and ours.get("subject") == theirs.get("subject"):
        _require_code(path, ours, theirs)
    differ = [key for key in ours if key in theirs and theirs[key] != ours[key]]
    if not differ:
        fail(f"{quote(path)} must begin with the header of a run", "another line", _REMEDY)
    key = differ[0]
    fail(f"{quote(path)} must be of a run with {key} {ours[key]!r}", repr(theirs[key]), _REMEDY)
