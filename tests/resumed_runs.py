"""What the tests of resumed runs share: a subject that may end the gate, and what it left."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from evil_programs import ends
from networks import NETWORKS

# Wrong in several ways, so that hints, reasons and skips must come back. Counts its calls, and may
# send a signal to the gate in one of them, which it then never answers.
SUBJECT = """
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from mlp_ref.subjects.numpy_subject import run as right

CALLS, FATAL = Path("calls"), Path("fatal")

def run(**case):
    with CALLS.open("a") as file:
        file.write("x")
    with suppress(FileNotFoundError):
        call, number = map(int, FATAL.read_text().split())
        if CALLS.stat().st_size >= call:
            FATAL.rename("taken")  # one process alone can
            Path("pid").write_text(str(os.getpid()))
            os.kill(os.getppid(), number)
            time.sleep(60)
    name = case["activations"][0]
    if name == "gelu":
        raise RuntimeError("no such\\nkernel")
    if name == "silu":
        raise NotImplementedError("no silu")
    answer = dict(right(**case))
    if name == "tanh":
        answer["dW0"] = 3 * answer["dW0"]
    if name == "relu":
        del answer["dx"]
    return answer

def other(**case):
    return right(**case)
"""
ASKED = "py:own:run --only mlp/batch-7/* --jsonl out.jsonl"
PARTIAL, REPORT = Path("out.jsonl.partial"), Path("out.jsonl")
CASES = sum(case.id.startswith("mlp/batch-7/") for case in NETWORKS)


def undiagnosed(report: bytes) -> list[bytes]:
    """The lines without the diagnoses, for which answers are needed that no report holds."""
    *lines, last = report.splitlines()
    summary = json.loads(last) | {"diagnoses": []}
    return [*lines, json.dumps(summary).encode()]


def without_diagnosis(text: str) -> str:
    """The report on the terminal, or in Markdown, without that part."""
    text = re.sub(r"(?ms)^DIAGNOSIS .*?(?=^FAIL  )", "", text)
    return re.sub(r"(?ms)^### Diagnosis$.*?(?=^### )", "", text)


def calls() -> int:
    """How often the subject was asked since this was asked last."""
    path = Path("calls")
    n = path.stat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    return n


# What a shell starts in the background has SIGINT ignored.
GATE = """
import signal, sys
from mlp_ref.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""


def ended(call: int, number: signal.Signals, more: str = "") -> tuple[int, str]:
    """Status and errors of a run that gets a signal while it waits; its subject ends with it."""
    Path("fatal").write_text(f"{call} {int(number)}")
    arguments = [sys.executable, "-c", GATE, "verify", *ASKED.split(), *more.split()]
    done = subprocess.run(arguments, capture_output=True, check=False, text=True, timeout=60)
    assert done.stdout == ""
    assert ends(int(Path("pid").read_text()))
    return done.returncode, done.stderr
