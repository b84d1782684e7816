"""A child process: whatever it does ends one case, with a reason, and the next one is asked."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from evil_programs import Start, is_right, runs, starter
from wire_lines import question

from mlp_ref.subjects import Kind


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Iterator[Start]:
    with starter(tmp_path) as start:
        yield start


# ------------------------------------------------------------------------------------ as it should


def test_a_program_is_asked_and_says_what_it_is(start: Start) -> None:
    """Its description, many answers of one process, skips and refusals."""
    child = start("""
describe(name="mine", versions={"blas": "3"}, checks=["shape"], conventions=["finite-inputs"])
for k in range(1, 100):
    q = ask()
    kind = {3: "skip", 4: "reject", 5: "error"}.get(k)
    say({"seq": q["seq"], kind: f"why {os.getpid()}"} if kind else answer(q))
""")
    assert (child.name, child.operations, child.arithmetics) == (
        "cmd:program", ("dense",), ("float32",),
    )  # fmt: skip
    assert child.versions == {"mine": "unknown version", "blas": "3"}
    assert child.excuse("sum", ()) != ""
    assert child.excuse("shape", ("NotFinite",)).startswith("convention finite-inputs")
    replies = [child.ask(question()) for _ in range(9)]
    assert [reply.kind.value for reply in replies[:6]] == [
        "answer", "answer", "skip", "reject", "error", "answer",
    ]  # fmt: skip
    assert all(is_right(reply) for reply in (*replies[:2], *replies[5:]))
    assert len({reply.reason for reply in replies[2:5]}) == 1  # one process answered them all
    child.close()
    assert child.ask(question()).reason == "the subject was closed"


def test_neither_seq_nor_anything_else_tells_the_case(start: Start) -> None:
    """seq is random; a message holds the question alone."""
    child = start("""
describe()
while True:
    q = ask()
    say({"seq": q["seq"], "skip": " ".join(q) + " " + q["seq"]})
""")
    reasons = [child.ask(question()).reason.split() for _ in range(4)]
    assert {tuple(reason[:-1]) for reason in reasons} == {
        ("cmd", "seq", "operation", "arithmetic", "parameters", "inputs")
    }
    assert len({reason[-1] for reason in reasons}) == 4


def test_a_program_may_take_large_questions_and_give_large_answers(start: Start) -> None:
    """Megabytes, more than any pipe holds, both ways."""
    child = start("""
describe()
while True:
    q = ask()
    z = dict(q["inputs"]["x"])
    say({"seq": q["seq"], "outputs": {"dx": z}})
""", timeout=20)  # fmt: skip
    big = np.arange(400_000, dtype=np.float32).reshape(1000, 400)
    asked = question(inputs=question().inputs | {"x": big, "W": np.ones((400, 1), np.float32)})
    reply = child.ask(asked)
    assert reply.kind == Kind.ANSWER, reply.reason
    assert reply.tensors["dx"].tobytes() == big.tobytes()


# --------------------------------------------------------------------------------- one wrong case

# name -> (what it does instead of its second answer, what the reason says)
WRONG = {
    "exit 0": ("sys.exit(0)", "exited with status 0 before it answered"),
    "exit 3": ("print('no memory', file=sys.stderr); sys.exit(3)",
               "exited with status 3 before it answered; its last words: no memory"),
    "kills itself": ("os.kill(os.getpid(), signal.SIGKILL)",
                     r"was ended by signal 9 \(SIGKILL\) before it answered"),
    "crash": ("os.abort()", r"ended by signal 6 \(SIGABRT\)"),
    "exception": ("raise ValueError('a\\nb')", r"status 1 .*last words: .*ValueError: a | b"),
    "hang": ("time.sleep(60)", "did not answer within 0.6 s; is its output flushed after every"),
    "busy": ("while True: pass", "did not answer within 0.6 s"),
    "ignores SIGTERM": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", "did not answer within",
    ),
    "half a line": ("say(b'{\"seq\": \"', b''); time.sleep(60)",
                    r"within 0.6 s; half a line is there, '{\"seq\": \"'"),
    "half a line, then exit": ("say(b'{\"seq\"', b''); sys.exit(0)",
                               "exited with status 0 in the middle of a line, '{\"seq\"'"),
    "drips": ("while True: say(b'x', b''); time.sleep(0.02)", "within 0.6 s; half a line"),
    "two answers": ("say(answer(q), b'\\n' + json.dumps(answer(q)).encode() + b'\\n')",
                    "wrote more than one line in answer: '{\"seq"),
    "another seq": ("say(answer({'seq': 16 * '0'}))", "answered another question: seq 000000"),
    "no seq": ("say({'outputs': {}})", "broke the protocol: a reply must have the key 'seq'"),
    "not JSON": ("say(b'1.5 2.5')", "must be JSON; got '1.5 2.5"),
    "empty line": ("say(b'')", "must be JSON; got ''"),
    "invalid UTF-8": ("say(b'\\xff\\xfe\\x00')", "must be JSON"),
    "unknown key": ("say(answer(q) | {'t': 1})", "no other keys than outputs, seq; got 't'"),
    "wrong length": ("say(answer(q, [1]))", "output z must hold 3 numbers"),
    "null": ("say(answer(q, [None, 1, 2]))", "must be numbers within float32"),
    "closes stdout": ("os.close(1); time.sleep(60)", "closed its standard output before it"),
    "closes stdin and goes": ("os.close(0); sys.exit(4)", "exited with status 4"),
    "long line": ("say(b'[' + b'1,' * 200_000)", "a line of more than 67,840 bytes, more than any"),
    "deep JSON": ("say(b'[' * 60_000)", "must be JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_goes_wrong_is_an_error_of_one_case(start: Start, name: str) -> None:
    """The answers before and after it count; the process is another one then."""
    wrong, text = WRONG[name]
    child = start(f"""
from pathlib import Path
log = Path(__file__).with_name("pids")
with log.open("a") as file: file.write(f"{{os.getpid()}} ")
first = len(log.read_text().split()) == 1
describe()
q = ask()
say(answer(q))
q = ask()
if first:
    {wrong}
    time.sleep(60)
while True:
    say(answer(q))
    q = ask()
""")
    begin = time.monotonic()
    assert is_right(child.ask(question()))
    reply = child.ask(question())
    assert reply.kind == Kind.ERROR
    assert reply.tensors == {}
    assert re.search(text, reply.reason)
    assert reply.reason.isprintable()
    assert all(is_right(child.ask(question())) for _ in range(3))
    assert time.monotonic() - begin < 5
    child.close()
    pids = (Path(child._argv[-1]).parent / "pids").read_text().split()
    assert len(pids) == 2
    assert not any(runs(int(pid)) for pid in pids)


def test_nan_everywhere_is_an_answer(start: Start) -> None:
    """The judge fails it; the transport has nothing against it."""
    child = start("""
describe()
while True:
    say(answer(ask(), 3 * ["nan"]))
""")
    reply = child.ask(question())
    assert reply.kind == Kind.ANSWER
    assert np.isnan(reply.tensors["z"]).all()


def test_a_second_answer_that_comes_late_is_noticed_before_the_next_question(start: Start) -> None:
    """The reason says so, and the question after that is answered by a new process."""
    child = start("""
describe()
q = ask()
say(answer(q))
time.sleep(0.1)
say(answer(q))
while True:
    say(answer(ask()))
""")
    assert is_right(child.ask(question()))
    time.sleep(0.4)
    reply = child.ask(question())
    assert reply.kind == Kind.ERROR
    assert reply.reason.startswith("before this question was asked, the subject had written")
    assert is_right(child.ask(question()))


def test_an_end_between_two_questions_is_noticed(start: Start) -> None:
    """It is an error of the next one, which says so."""
    child = start("describe(); say(answer(ask())); sys.exit(7)")
    assert is_right(child.ask(question()))
    time.sleep(0.2)
    reply = child.ask(question())
    assert "exited with status 7 after its answer to the question before" in reply.reason
    assert is_right(child.ask(question()))


def test_a_program_that_reads_nothing_blocks_nobody(start: Start) -> None:
    """A question larger than a pipe is given up in time, and its rest is counted."""
    child = start("describe(); time.sleep(60)")
    big = np.zeros((2000, 500), np.float32)
    asked = question(inputs=question().inputs | {"x": big, "W": np.ones((500, 1), np.float32)})
    begin = time.monotonic()
    reply = child.ask(asked)
    assert reply.kind == Kind.ERROR
    assert "within 0.6 s; it has not read" in reply.reason
    assert "bytes of the question" in reply.reason
    assert time.monotonic() - begin < 3


def test_a_program_that_closes_its_input_is_told_apart(start: Start) -> None:
    """It lives, and cannot be asked: that it does not answer is all there is to say."""
    child = start("describe(); os.close(0); time.sleep(60)")
    reply = child.ask(question())
    assert reply.kind == Kind.ERROR
    assert "did not answer within 0.6 s" in reply.reason


GIGABYTE = """
block = {what} * (1 << 20)
os.set_blocking({end}, True)
for _ in range(1 << 10):
    os.write({end}, block)
"""


@pytest.mark.parametrize(
    ("end", "what", "kind", "text"),
    [
        (1, b"x", Kind.ERROR, "a line of more than 67,840 bytes"),
        (1, b"\n", Kind.ERROR, "more than one line"),
        (2, b"x", Kind.ANSWER, ""), (2, b"\n", Kind.ANSWER, ""),
    ],
)  # fmt: skip
def test_a_gigabyte_fills_no_memory(
    start: Start, end: int, what: bytes, kind: Kind, text: str
) -> None:
    """On stdout it is an error of the case; stderr is read and forgotten."""
    flood = GIGABYTE.format(what=what, end=end)
    child = start(f"describe()\nq = ask()\n{flood}\nsay(answer(q))\nask()", timeout=60)
    tracemalloc.start()
    reply = child.ask(question())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reply.kind == kind, reply.reason
    assert text in reply.reason
    assert peak < 4 << 20


def test_the_last_words_are_quoted_and_cut(start: Start) -> None:
    """Three lines, on one line, without control characters."""
    child = start("""
describe()
ask()
sys.stderr.write("first\\n" + 5000 * "x" + "\\none\\n\\n\\x1b[31mtwo\\nthree\\n")
sys.exit(1)
""")
    assert child.ask(question()).reason.endswith("its last words: one | [31mtwo | three")
