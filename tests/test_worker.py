"""The worker: any Python subject in a process of its own, whatever it prints or reads."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evil_programs import ends, runs
from wire_lines import SEQ, question, same

from mlp_ref.checks import InputError
from mlp_ref.corpus import load
from mlp_ref.gate.cases import case_of
from mlp_ref.gate.transports.child import Child
from mlp_ref.subjects import Kind, Question, Reply
from mlp_ref.subjects.direct import ask
from mlp_ref.subjects.messages import (
    STOP,
    parse_description,
    parse_reply,
    question_body,
    run_line,
    start_line,
)
from mlp_ref.subjects.numpy_subject import load as load_numpy

# Runs the worker with a subject that is loaded by a statement, and evaluates what it is asked.
MAIN = """
import ctypes, os, sys, time
import numpy as np
from mlp_ref.checks import InputError
from mlp_ref.subjects import Subject, worker


def throw(error):
    raise error


def run(question):
    x = question.inputs["x"]
    return eval(question.parameters.get("do", "{'z': x}"), globals(), locals())


def load(spec):
    exec(sys.argv[1])
    return Subject(spec, run, ("dense",), ("float32",), {"mine": "1"}, ("shape",))


worker.load = load
sys.exit(worker.main(["py:mine:run"]))
"""
NAME = "py:mine:run"
WORKER = [sys.executable, "-m", "mlp_ref.subjects.worker"]


def program(load: str = "pass") -> list[str]:
    """The command of a worker whose subject is loaded by this statement."""
    return [sys.executable, "-c", MAIN, load]


def do(expression: str) -> Question:
    """A question that the subject answers by evaluating an expression."""
    return question(parameters={"do": expression})


@pytest.fixture(scope="module", name="worker")
def _worker() -> Iterator[Child]:
    with Child(program(), NAME, timeout=20) as child:
        yield child


def quiet(x: Any) -> Any:
    """With one word for every NaN."""
    return np.where(np.isnan(x), np.nan, x)


def is_x(reply: Reply) -> bool:
    """Whether it is the answer of the subject."""
    return reply.kind == Kind.ANSWER and same(reply.tensors["z"], question().inputs["x"])


# --------------------------------------------------------------------------------------- protocol


def test_verdicts_do_not_depend_on_the_process() -> None:
    """What numpy answers from a process of its own is what it answers here, bit for bit."""
    here = load_numpy()
    with Child([*WORKER, "numpy"], "numpy", timeout=30) as there:
        assert there.operations == here.operations
        assert there.arithmetics == here.arithmetics
        assert there.checks == here.checks
        assert there.versions == here.versions
        for record in load().records[::9]:
            asked = case_of(record).question()
            one, other = ask(here, asked), there.ask(asked)
            assert (other.kind, other.reason) == (one.kind, one.reason)
            assert list(other.tensors) == list(one.tensors)
            for name, x in one.tensors.items():
                assert same(quiet(other.tensors[name]), quiet(x))


@pytest.mark.parametrize("end", [STOP, b""])
def test_a_file_of_questions_is_the_whole_protocol(end: bytes) -> None:
    """``worker SPEC < questions.jsonl > answers.jsonl``; the end of the file is the end."""
    seqs = [f"{k:016x}" for k in range(3)]
    lines = [start_line(), *(run_line(seq, question_body(question())) for seq in seqs), end]
    done = subprocess.run(program(), input=b"".join(lines), capture_output=True, check=True)
    first, *rest = done.stdout.splitlines()
    found = parse_description(first, "py:mine:run")
    assert (found.operations, found.checks) == (("dense",), ("shape",))
    assert found.versions == {"mine": "1"}
    replies = [parse_reply(line) for line in rest]
    assert [seq for seq, _ in replies] == seqs
    assert all(is_x(reply) for _, reply in replies)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("expression", "kind", "reason"),
    [
        ("throw(NotImplementedError('float16'))", Kind.SKIP, "not implemented: float16"),
        ("throw(ValueError('bad x'))", Kind.REJECT, "ValueError: bad x"),
        ("sys.exit('gone')", Kind.REJECT, "SystemExit: gone"),
        ("{'z': x.__iadd__(1)}", Kind.ERROR, "the subject changed its argument 'x' in place"),
        ("7", Kind.ERROR, "a subject must return a mapping of tensors; got int"),
        ("{'z': [1.0]}", Kind.ERROR, "output 'z': a tensor must be a NumPy array; got list"),
        ("{'z 1': x}", Kind.ERROR, "output 'z 1': an output must have a name such as dW0"),
        ("{1: x}", Kind.ERROR, "output 1: an output must have a name such as dW0"),
    ],
)  # fmt: skip
def test_whatever_a_subject_does_is_a_reply(
    worker: Child, expression: str, kind: Kind, reason: str
) -> None:
    """As in the process of the gate; and the worker lives on."""
    reply = worker.ask(do(expression))
    assert (reply.kind, reply.tensors) == (kind, {})
    assert reply.reason.startswith(reason)
    assert is_x(worker.ask(question()))


def test_a_crash_is_an_error_and_the_worker_is_started_again(worker: Child) -> None:
    """Memory that is not there, in C."""
    reply = worker.ask(do("ctypes.string_at(0)"))
    assert reply.kind == Kind.ERROR
    assert "was ended by signal 11 (SIGSEGV) before it answered" in reply.reason
    assert is_x(worker.ask(question()))


def test_a_question_that_cannot_be_read_is_an_error_of_its_case() -> None:
    """If it has a seq; a line that has none ends the worker, with a reason."""
    wrong = run_line(SEQ, question_body(question()) | {"operation": "conv"})
    right = run_line(16 * "1", question_body(question()))
    lines = [start_line(), wrong, right, b"hello\n", right]
    done = subprocess.run(program(), input=b"".join(lines), capture_output=True, check=False)
    replies = [parse_reply(line) for line in done.stdout.splitlines()[1:]]
    assert [seq for seq, _ in replies] == [SEQ, 16 * "1"]
    assert [reply.kind for _, reply in replies] == [Kind.ERROR, Kind.ANSWER]
    assert replies[0][1].reason.startswith("operation must be one of activation")
    assert done.returncode == 2
    assert done.stderr.decode().startswith("mlp-ref worker: error: a line must be JSON; got 'hello")
    assert done.stderr.count(b"\n") == 1


# ------------------------------------------------------------------------------------ its own ends


NOISE = (
    "print('{}', flush=True)",
    "sys.stdout.write('half')",
    "os.write(1, b'{}\\n')",
    "os.system('echo noise')",
    "ctypes.CDLL(None).puts(b'noise')",
    "ctypes.CDLL(None).fflush(None)",
    "sys.__stdout__.write('noise\\n')",
    "os.read(0, 10)",
    "sys.stdin.read()",
    "sys.stdout.flush()",
    "os.close(0)",
    "os.close(1)",
)


@pytest.mark.usefixtures("untraced")  # coverage keeps files open, at numbers that are closed here
def test_what_a_subject_prints_or_reads_is_not_the_protocol() -> None:
    """From Python, from C, from other programs; while it is loaded, and at every question."""
    with Child(program("; ".join(NOISE[:9])), NAME, timeout=20) as worker:
        for noise in NOISE:
            reply = worker.ask(do(f"[{noise}, {{'z': x}}][1]"))
            assert is_x(reply), (noise, reply.reason)


def test_what_it_prints_can_be_read_where_errors_are(worker: Child) -> None:
    """It is among the last words."""
    reply = worker.ask(do("[print('here I am', flush=True), os._exit(3)]"))
    assert "status 3 before it answered; its last words: here I am" in reply.reason


# ------------------------------------------------------------------------------- begin and end


@pytest.mark.parametrize(
    ("load", "text"),
    [
        ("raise InputError('name another; got it')",
         "py:mine:run did not start: name another; got it"),
        ("import nothing", "must be importable; got ModuleNotFoundError: No module named"),
        ("sys.exit(3)", "py:mine:run must be importable; got SystemExit: 3"),
        ("os._exit(5)", "exited with status 5 before it answered"),
        ("Subject(spec, run, (), ())", "the operations of py:mine:run must be among"),
    ],
)  # fmt: skip
def test_a_subject_that_cannot_be_loaded_says_why(load: str, text: str) -> None:
    """In one line, to the gate and on standard error."""
    with pytest.raises(InputError, match=text) as caught:
        Child(program(load), NAME)
    assert "Traceback" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_subject_that_there_is_not_says_which_there_are() -> None:
    """The worker is the real one here."""
    with pytest.raises(InputError, match=r"did not start: .*must be one of numpy, torch"):
        Child([*WORKER, "numpi"], "numpi")
    done = subprocess.run([*WORKER, "numpi"], input=start_line(), capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"mlp-ref worker: error: a subject other than")
    assert done.stderr.count(b"\n") == 1


def test_without_a_subject_it_says_so() -> None:
    """Exit status 2."""
    done = subprocess.run(WORKER, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mlp-ref worker: error: a worker must be called with one subject\n"


def started(folder: Path, expression: str) -> subprocess.Popen[bytes]:
    """A worker that is computing."""
    sign = folder / "begun"
    asked = do(f"[open({str(sign)!r}, 'w').close(), {expression}, {{'z': x}}][2]")
    pipe = subprocess.PIPE
    process = subprocess.Popen(program(), stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    process.stdin.write(start_line() + run_line(SEQ, question_body(asked)))
    process.stdin.flush()
    deadline = time.monotonic() + 20
    while not sign.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


def test_ctrl_c_is_left_to_the_gate(tmp_path: Path) -> None:
    """SIGINT, which a terminal sends to both, spoils no answer."""
    with started(tmp_path, "time.sleep(0.3)") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(STOP, timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert is_x(parse_reply(out.splitlines()[1])[1])


def test_nobody_who_listens_is_an_end(tmp_path: Path) -> None:
    """Not a traceback."""
    with started(tmp_path, "time.sleep(0.3)") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")


GATE = """
import subprocess, sys
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, start_new_session=True)
process.stdin.write(open(sys.argv[1], "rb").read())
process.stdin.flush()
process.wait()
"""


def test_no_worker_survives_its_parent(tmp_path: Path) -> None:
    """A gate that is killed takes along a worker that is computing, and would for ever."""
    path, lines = tmp_path / "pid", tmp_path / "lines"
    wait = f"[open({str(path)!r}, 'w').write(str(os.getpid())), max(0 for _ in iter(int, 1))]"
    lines.write_bytes(start_line() + run_line(SEQ, question_body(do(wait))))
    command = [sys.executable, "-c", GATE, str(lines), *program()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as gate:
        deadline = time.monotonic() + 20
        while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        pid = int(path.read_text())
        assert runs(pid)
        gate.kill()
    assert ends(pid)
