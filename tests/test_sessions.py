"""Opening subjects by name: how many processes, how long they may take, and what is none."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path

import pytest
from evil_programs import PROLOGUE, ends, runs
from wire_lines import question

from mlp_ref.checks import InputError
from mlp_ref.corpus import Corpus
from mlp_ref.gate.sessions import open_session, open_sessions
from mlp_ref.gate.transports import Child
from mlp_ref.subjects import Kind, Session, Subject

CORPUS = Corpus("2026.1", "0123456789abcdef" * 4, (), Path())
PROGRAM = """
open(f"started-{os.getpid()}", "w").write(json.dumps(sys.argv[1:]))
describe(versions={"pid": str(os.getpid())})
while True:
    q = ask()
    time.sleep(float(sys.argv[1]) if sys.argv[1:] else 0)
    say(answer(q))
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    Path("a program.py").write_text(f"{PROLOGUE}{PROGRAM}", "utf-8")
    Path("own.py").write_text("import os\nPID = os.getpid()\ndef run(**case):\n    return {}\n")


def command(*arguments: str) -> str:
    """The subject as a shell quotes it: the name of the file has a space."""
    return "cmd:" + shlex.join([sys.executable, "-I", "a program.py", *arguments])


def started() -> list[int]:
    """The processes that were started."""
    return [int(path.name.removeprefix("started-")) for path in Path().glob("started-*")]


def closed(sessions: list[Session]) -> list[Session]:
    """Sessions that are not needed any more."""
    for session in sessions:
        session.close()
    return sessions


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_there_are_as_many_processes_as_jobs(jobs: int) -> None:
    """Each is another one, all say the same of themselves, and they end when they are closed."""
    sessions = open_sessions(command(), CORPUS, jobs)
    pids = [int(session.versions["pid"]) for session in sessions]
    assert sorted(pids) == sorted(started())
    assert all(runs(pid) for pid in pids)
    assert {session.name for session in sessions} == {command()}
    assert all(session.ask(question()).kind == Kind.ANSWER for session in sessions)
    closed(sessions)
    assert all(ends(pid) for pid in pids)


def test_the_reference_is_asked_here_unless_there_are_several_jobs() -> None:
    """One job needs no process; of two, neither would compute while the other does."""
    (here,) = open_sessions("numpy", CORPUS)
    assert isinstance(here, Subject)
    apart = closed(open_sessions("numpy", CORPUS, 2))
    assert all(isinstance(session, Child) for session in apart)
    assert {session.operations for session in apart} == {here.operations}
    assert {tuple(session.versions.items()) for session in apart} == {(*here.versions.items(),)}


def test_python_code_of_the_users_own_is_apart_but_for_a_debugger() -> None:
    """verify asks it in another process; a test framework in its own."""
    (apart,) = closed(open_sessions("py:own:run", CORPUS))
    assert isinstance(apart, Child)
    assert isinstance(open_session("py:own:run", CORPUS), Subject)
    here = sys.modules.pop("own")
    assert os.getpid() == here.PID
    framework = open_session(command(), CORPUS)
    assert isinstance(framework, Child)
    framework.close()


def test_arguments_are_quoted_as_in_a_shell() -> None:
    """Spaces and quotes reach the program; nothing is expanded, for there is no shell."""
    words = ["0", "two words", "it's", "$HOME", "*", "", "\N{GREEK SMALL LETTER ALPHA}", "; false"]
    closed(open_sessions(command(*words), CORPUS))
    (path,) = Path().glob("started-*")
    assert json.loads(path.read_text()) == words


def test_the_timeout_is_that_of_an_answer() -> None:
    """Of the description, which may need an import of seconds, it is not."""
    (session,) = open_sessions(command("30"), CORPUS, timeout=0.2)
    begin = time.monotonic()
    reply = session.ask(question())
    assert (reply.kind, time.monotonic() - begin < 10) == (Kind.ERROR, True)
    assert reply.reason.startswith("the subject did not answer within 0.2 s; ")
    session.close()


@pytest.mark.parametrize(
    ("spec", "timeout", "within"),
    [
        ("cmd:./mine", 60.0, 120.0), ("cmd:./mine", 0.2, 30.0), ("cmd:./mine", 500.0, 1000.0),
        ("py:own:run", 60.0, 120.0), ("py:own:run", 0.2, 120.0), ("py:own:run", 500.0, 1000.0),
    ],
)  # fmt: skip
def test_the_limit_of_a_start_follows_the_timeout(
    spec: str, timeout: float, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice of it; not less than a program, or the import of a large library, needs."""
    told: dict[str, float] = {}
    monkeypatch.setattr("mlp_ref.gate.transports.Child", lambda *_, **more: told.update(more))
    open_sessions(spec, CORPUS, timeout=timeout)
    assert (told["timeout"], told["start"]) == (timeout, within)


@pytest.mark.parametrize(
    ("spec", "jobs", "timeout", "text"),
    [
        ("numpy", 0, 1.0, "--jobs must be 1 or more; got 0; "),
        ("numpy", -1, 1.0, "--jobs must be 1 or more; got -1; "),
        ("numpy", 1, 0.0, "--timeout must be a positive number of seconds; got 0.0; "),
        ("numpy", 1, -1.0, "--timeout must be a positive number of seconds; got -1.0; "),
        ("numpy", 1, float("nan"), "--timeout must be a positive number of seconds; got nan; "),
        ("numpy", 1, float("inf"), "--timeout must be a positive number of seconds; got inf; "),
        ("files:x", 2, 1.0, "--jobs must be 1 where answers are read from files; got 2; "),
        ("nompy", 1, 1.0, "a subject other than py:module:object, so:library, cmd:program and "),
        ("nompy", 2, 1.0, "a subject other than py:module:object, so:library, cmd:program and "),
        ("numpy:x", 1, 1.0, "the subject numpy has no variants; got 'x'; "),
        ("numpy:x", 2, 1.0, "the subject numpy has no variants; got 'x'; "),
        ("", 1, 1.0, "a subject other than "),
        ("cmd:", 1, 1.0, "a subject must name a program or folder; got 'cmd:'; "),
        ("cmd:  ", 1, 1.0, "a subject must name a program or folder; got 'cmd:  '; "),
        ("files:", 1, 1.0, "a subject must name a program or folder; got 'files:'; "),
        ("cmd:./a 'b", 1, 1.0, "cmd: must be followed by a command line; got "),
        ("cmd:./none", 1, 1.0, "cmd:./none must be a program that can be started; got "),
        ("cmd:''", 1, 1.0, "cmd:'' must be a program that can be started; got "),
        ("py:own", 1, 1.0, "a Python subject must read py:module:object; got 'py:own'; "),
        ("py:own:none", 2, 1.0, "module 'own' must have an object 'none'; got no such name; "),
        ("py:none:run", 1, 1.0, "module 'none' must exist; got no module 'none' in this folder o"),
    ],
)  # fmt: skip
def test_what_is_no_subject_is_said_in_one_line(
    spec: str, jobs: int, timeout: float, text: str
) -> None:
    """The invariant, what arrived, the remedy: once, whichever process found out."""
    with pytest.raises(InputError) as caught:
        open_sessions(spec, CORPUS, jobs, timeout)
    found = str(caught.value)
    assert found.startswith(text)
    assert found.count("; got ") == 1
    assert found.isprintable()


def test_if_the_second_process_does_not_start_the_first_ends(tmp_path: Path) -> None:
    """Nobody is left behind."""
    text = Path("a program.py").read_text("utf-8")
    other = "if len(__import__('glob').glob('started-*')) > 1: sys.exit(3)\ndescribe("
    Path("a program.py").write_text(text.replace("\ndescribe(", f"\n{other}"), "utf-8")
    with pytest.raises(InputError, match="exited with status 3"):
        open_sessions(command(), CORPUS, 3)
    assert len(started()) == 2
    assert all(ends(pid) for pid in started())
