"""A child process begins once it says what it is, and no process outlives the gate."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from evil_programs import PATIENCE, Start, ends, program, runs, starter
from wire_lines import question

from mlp_ref.checks import InputError
from mlp_ref.gate.transports.child import Child
from mlp_ref.subjects import Kind


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Iterator[Start]:
    with starter(tmp_path) as start:
        yield start


# -------------------------------------------------------------------------------------- processes


def test_a_grandchild_that_holds_the_pipes_ends_too(start: Start) -> None:
    """The end of its parent is noticed at once, and the whole group is ended."""
    child = start("""
describe()
q = ask()
pid = os.fork()
if not pid:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
sys.stderr.write(f"{pid}\\n")
os._exit(5)
""", timeout=20)  # fmt: skip
    begin = time.monotonic()
    reason = child.ask(question()).reason
    assert "exited with status 5" in reason
    assert time.monotonic() - begin < 5
    assert ends(int(reason.rsplit(maxsplit=1)[1]))


def test_close_asks_to_stop_and_then_kills(start: Start, tmp_path: Path) -> None:
    """A program that heeds stop ends by itself; one that does not is ended, and its children."""
    heeds = start("describe()\nask()")
    heeds.close()
    stubborn = start(f"""
pid = os.fork()
if not pid:
    time.sleep(60)
open({str(tmp_path / "pids")!r}, "w").write(f"{{pid}} {{os.getpid()}}")
describe()
while True:
    time.sleep(1)
""")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(runs, pids))
    stubborn.close()
    stubborn.close()
    assert all(map(ends, pids))


def test_a_child_that_is_forgotten_ends(start: Start, tmp_path: Path) -> None:
    """Without close, and without a warning."""
    path = tmp_path / "pid"
    body = f"open({str(path)!r}, 'w').write(str(os.getpid()))\ndescribe()\ntime.sleep(60)"
    child = Child(program(tmp_path, body), "cmd:program")
    pid = int(path.read_text())
    assert runs(pid)
    del child
    gc.collect()
    assert ends(pid)


def test_abort_from_another_thread_ends_the_wait(start: Start) -> None:
    """The question under way is an error, and no other is asked."""
    child = start("describe()\ntime.sleep(60)", timeout=60)
    timer = threading.Timer(0.1, child.abort)
    timer.start()
    begin = time.monotonic()
    assert child.ask(question()).kind == Kind.ERROR
    assert time.monotonic() - begin < 5
    assert child.ask(question()).reason == "the subject was closed"
    timer.join()
    child.abort()


# What a shell starts in the background has SIGINT ignored.
GATE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from wire_lines import question
from mlp_ref.gate.transports.child import Child
with Child(sys.argv[1:], "cmd:program", timeout=60) as child:
    child.ask(question())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ctrl_c_in_the_gate_ends_the_program(tmp_path: Path, number: signal.Signals) -> None:
    """And a program that reads its input ends with a gate that is killed."""
    path = tmp_path / "pid"
    wait = "time.sleep(60)" if number == signal.SIGINT else "ask()"
    body = f"describe()\nq = ask()\nopen({str(path)!r}, 'w').write(str(os.getpid()))\n{wait}"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", GATE, *program(tmp_path, body)], env=environment,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as gate:  # fmt: skip
        deadline = time.monotonic() + 20
        while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        pid = int(path.read_text())
        gate.send_signal(number)
        _, err = gate.communicate(timeout=20)
    assert gate.returncode in (-number, 130)
    assert (b"KeyboardInterrupt" in err) == (number == signal.SIGINT)
    assert ends(pid)


# ------------------------------------------------------------------------------------------ starts


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("sys.exit(3)", "exited with status 3 before it answered"),
        ("import nothing", "exited with status 1 .*No module named 'nothing'"),
        ("time.sleep(60)", "did not answer within 0.6 s"),
        ("line(); say(b'ready')", "did not start: a line must be JSON; got 'ready"),
        ("line(); say({'protocol': 1, 'error': 'no GPU here'})", "did not start: no GPU here"),
        ("line(); say({'protocol': 2})", "did not start: a description must have the key"),
        ("describe(operations=[])", "did not start: the operations of cmd:program must be among"),
        ("say(b'[' + b'1,' * 100_000)", "a line of more than 65,536 bytes"),
        ("line(); say(b'[' + b'1,' * 32_768)", "a line of more than 65,536 bytes"),
    ],
)  # fmt: skip
def test_a_program_that_does_not_start_is_said_at_once(start: Start, body: str, text: str) -> None:
    """With the reason, on one line."""
    with pytest.raises(InputError, match=text) as caught:
        start(body, within=PATIENCE)
    assert str(caught.value).isprintable()


# Buffered, as standard output is where it is no terminal.
UNFLUSHED = """
line()
print(json.dumps({"protocol": 1, "operations": ["dense"], "arithmetics": ["float32"]}))
line()
"""


def test_a_start_reply_that_is_not_flushed_is_remarked_on_and_named(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Soon one line on standard error, while the limit stays; the error then names flushing."""
    monkeypatch.setattr("mlp_ref.gate.transports.child._PATIENCE", 0.2)
    with pytest.raises(InputError, match=r"within 0.6 s; is its output flushed .*fflush\(stdout"):
        start(UNFLUSHED, within=PATIENCE)
    assert capsys.readouterr().err == (
        "mlp-ref: waiting for the start reply of cmd:program; does it flush its output? (for 0.6 s "
        "at most)\n"
    )


def test_a_slow_start_is_remarked_on_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may still answer; the starts after it, and slow answers, are not remarked on."""
    monkeypatch.setattr("mlp_ref.gate.transports.child._PATIENCE", 0.1)
    child = start("time.sleep(0.4); describe(); ask(); time.sleep(0.2); sys.exit(3)")
    assert [child.ask(question()).kind for _ in range(2)] == 2 * [Kind.ERROR]
    assert capsys.readouterr().err.count("\n") == 1


def test_a_worker_of_ours_is_never_told_to_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does; what it is asked for takes long, at the start and in an answer."""
    monkeypatch.setattr("mlp_ref.gate.transports.child._OURS", 0.1)
    command = program(tmp_path, "time.sleep(0.3); describe(); time.sleep(60)")
    with Child(command, "py:mine:run", timeout=0.2, start=10, ours=True) as child:
        reason = child.ask(question()).reason
    assert (
        capsys.readouterr().err == "mlp-ref: waiting for py:mine:run to start (for 10 s at most)\n"
    )
    assert reason.endswith("did not answer within 0.2 s; give it more time with --timeout")


@pytest.mark.parametrize("argv", [["./no-such-program"], ["/"], ["a\0b"], []])
def test_a_command_that_is_no_program_is_said(argv: list[str]) -> None:
    """With what the system says."""
    with pytest.raises(InputError, match="program"):
        Child(argv, "cmd:program")


def test_ctrl_c_while_it_starts_ends_it(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate stops, and nothing is left."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mlp_ref.gate.transports.child.parse_description", interrupted)
    path = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt):
        start(f"open({str(path)!r}, 'w').write(str(os.getpid()))\ndescribe()\ntime.sleep(60)")
    assert ends(int(path.read_text()))


def test_after_three_failed_starts_it_is_not_started_again(start: Start, tmp_path: Path) -> None:
    """Every later question has the reason at once."""
    log = tmp_path / "starts"
    child = start(f"""
with open({str(log)!r}, "a") as file: file.write("x")
if len(open({str(log)!r}).read()) > 1: sys.exit(9)
describe()
ask()
""")
    reasons = [child.ask(question()).reason for _ in range(8)]
    assert "exited with status 0 before it answered" in reasons[0]
    assert all("exited with status 9 before it answered" in reason for reason in reasons[1:])
    assert not any("not started again" in reason for reason in reasons[:4])
    assert all(reason.startswith("not started again after 3") for reason in reasons[4:])
    assert log.read_text() == 4 * "x"


def test_a_start_that_succeeds_forgives_those_that_failed(start: Start, tmp_path: Path) -> None:
    """Three in a row are needed."""
    log = tmp_path / "starts"
    child = start(f"""
with open({str(log)!r}, "a") as file: file.write("x")
if len(open({str(log)!r}).read()) in (2, 3, 5, 6): sys.exit(9)
describe()
ask()
""")
    for _ in range(8):
        assert not child.ask(question()).reason.startswith("not started again")
    assert len(log.read_text()) == 8


def test_a_program_may_not_become_another_one(start: Start, tmp_path: Path) -> None:
    """What it declares when it is started again is what it declared at first."""
    log = tmp_path / "starts"
    child = start(f"""
with open({str(log)!r}, "a") as file: file.write("x")
describe(checks=["sum"][:len(open({str(log)!r}).read()) - 1])
ask()
""")
    child.ask(question())
    assert "describes itself otherwise than at its first start" in child.ask(question()).reason
