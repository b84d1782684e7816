"""Opening subjects: by name, in this process or in others."""

from __future__ import annotations

from math import inf

from mlp_ref.checks import fail
from mlp_ref.corpus import Corpus
from mlp_ref.gate.transports import connect
from mlp_ref.subjects import Session, load

__all__ = ["open_session", "open_sessions"]


def open_sessions(spec: str, corpus: Corpus, jobs: int = 1, timeout: float = 60.0) -> list[Session]:
    """As many sessions of a subject as there are jobs; whoever opens them closes them.

    ``timeout``  seconds for an answer

    Raises `InputError` if there is no such subject, or it does not say what it is.
    """
    if jobs < 1:
        fail("--jobs must be 1 or more", repr(jobs), "a job is a process that is asked")
    if not 0 < timeout < inf:
        fail("--timeout must be a positive number of seconds", repr(timeout), "60 is usual")
    if jobs > 1 and spec.startswith("files:"):
        fail("--jobs must be 1 where answers are read from files", repr(jobs), "leave it out")
    found: list[Session] = []
    try:
        for _ in range(jobs):
            session = connect(spec, corpus.sha256, timeout=timeout, apart=jobs > 1)
            found.append(session)
    except BaseException:
        for session in found:
            session.abort()
        raise
    return found


def open_session(spec: str, corpus: Corpus) -> Session:
    """One session, for a test framework: a Python subject stays where a debugger can follow it."""
    return load(spec) if spec.startswith("py:") else open_sessions(spec, corpus)[0]
