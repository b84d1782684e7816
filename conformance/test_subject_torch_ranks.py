"""PyTorch in several processes: data-parallel over unequal shards, and tensor-parallel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from verified import failing, reports_of, require_verified

from mlp_ref.checks import InputError
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.transports.child import Child
from mlp_ref.subjects import command_of, load
from mlp_ref.subjects.messages import start_line
from mlp_ref.subjects.pytorch import ranks as launching
from mlp_ref.subjects.pytorch.ddp import shards
from mlp_ref.subjects.pytorch.messages import packed, send, unpacked

HERE = Path(__file__).parent
NETWORKS = [case for case in build_cases(operations=["mlp"]) if not case.rejects]
DEVIATING = "mlp/points-above-20/softplus/float64"
EXACT = [case for case in NETWORKS if case.id.startswith("mlp/exact-")]
SOME = [
    case for k, case in enumerate(NETWORKS) if k % 4 == 0 or case in EXACT or case.id == DEVIATING
]  # distributed tensors take a tenth of a second per question
SUBJECTS = {
    "torch_ddp:2": NETWORKS, "torch_ddp:3": NETWORKS, "torch_tp:2": SOME, "torch_tp:3": EXACT,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("spec", SUBJECTS)
def test_the_networks_of_the_corpus(spec: str) -> None:
    """The bounds hold for any order of summation: that of one process or of many."""
    cases = SUBJECTS[spec]
    with Child(command_of(spec), spec) as session:
        assert session.operations == ("mlp",)
        reports = reports_of(session, cases)
    require_verified(reports)
    assert len(reports) == len(cases)
    assert {*failing(reports)} == {case.id for case in cases if case.id == DEVIATING}
    assert not [report.case.id for report in reports if report.verdict == Verdict.SKIP]


def failing_with(
    module: str, ranks: int, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> dict[str, set[str]]:
    """What fails in a wrong subject beside this file."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    command = [sys.executable, "-m", "mlp_ref.subjects.pytorch.torchrun", str(ranks), module]
    with Child(command, module) as session:
        return failing(reports_of(session, cases))


@pytest.mark.slow
def test_a_bias_in_thirds_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """RowwiseParallel of PyTorch adds b / n in each process: no integer if there are three."""
    cases = [case for case in EXACT if case.id.startswith("mlp/exact-13-7-4/")]
    found = failing_with("rowwise_bias", 3, cases, monkeypatch)
    assert {*found} == {case.id for case in cases}
    for tensors in found.values():
        assert {"z1", "a1"} <= tensors
        assert not {"z0", "a0"} & tensors  # of the column-parallel layer


def by_rows(rows: int) -> list[Case]:
    """The networks of one size of batch whose gradients do not vanish."""
    found = [case for case in NETWORKS if case.id.startswith(f"mlp/batch-{rows}/")]
    assert len(found) >= 20
    return found


@pytest.mark.slow
def test_means_of_unequal_shards_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Averaging the means of 1 and of 6 rows fails every case: loss and gradients, z and a not."""
    cases = by_rows(7)
    found = failing_with("mean_of_means", 2, cases, monkeypatch)
    assert {*found} == {case.id for case in cases}
    for case in cases:
        gradients = {name for name in case.tensors if name[0] not in "za"}
        assert {"loss", "g"} <= found[case.id] <= gradients


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_shards_are_unequal_where_they_can_be(ranks: int) -> None:
    """Every row is in one shard, and no two shards are equal from 0 + 1 + 2 + ... rows on."""
    for rows in range(40):
        parts = shards(rows, ranks)
        assert [k for part in parts for k in range(rows)[part]] == list(range(rows))
        sizes = [part.stop - part.start for part in parts]
        assert (len({*sizes}) == ranks) == (rows >= ranks * (ranks - 1) // 2)
        assert all(sizes) == (rows >= ranks * (ranks + 1) // 2)


def test_a_question_is_told_as_it_is() -> None:
    """Names, numbers and arrays arrive bit by bit, the largest network of the corpus too."""
    for case in [*NETWORKS[::40], max(NETWORKS, key=lambda case: case.inputs["W0"].size)]:
        question = case.question()
        found = unpacked(packed(question))
        assert found[:3] == question[:3]
        assert list(found.inputs) == list(question.inputs)
        for name, x in question.inputs.items():
            same = found.inputs[name]
            assert (same.dtype, same.shape, same.tobytes()) == (x.dtype, x.shape, x.tobytes())


@pytest.mark.parametrize("name", ["torch_ddp", "torch_tp"])
@pytest.mark.parametrize("ranks", ["", "1", "0", "-2", "two", "2:3", "17", " 2"])
def test_the_number_of_processes_is_checked(name: str, ranks: str) -> None:
    """2 to 16, with an example."""
    with pytest.raises(InputError) as caught:
        command_of(f"{name}:{ranks}")
    assert str(caught.value) == (
        f"{name} needs its number of processes, 2 to 16; got {ranks!r}; such as {name}:2"
    )


@pytest.mark.parametrize("name", ["torch_ddp", "torch_tp"])
def test_one_process_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torchrun there is nobody to wait for."""
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError) as caught:
        load(f"{name}:2")
    assert str(caught.value) == (
        f"{name} must be started by torchrun; got one process; ask for {name}:2"
    )


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The only process of its group; what it would do at its end."""
    at_end: list[object] = []
    register = SimpleNamespace(register=lambda *call: at_end.append(call))
    monkeypatch.setattr(launching, "atexit", register)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}
    for name, value in {**meeting, "GLOO_SOCKET_IFNAME": "lo"}.items():
        monkeypatch.setenv(name, value)
    yield at_end
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", ["torch_ddp", "torch_tp"])
def test_a_group_of_one(name: str, alone: list[object]) -> None:
    """It answers as PyTorch without processes does, and has an end to announce."""
    subject = load(name)
    assert subject.name == f"{name}:1"
    require_verified(reports_of(subject, by_rows(7)))
    assert alone == [(send, b"")]


def children(parent: int) -> list[int]:
    """The processes that a process has started, the oldest first."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], stdout=subprocess.PIPE, check=True)
    pairs = (map(int, line.split()) for line in table.stdout.splitlines())
    return sorted(pid for pid, of in pairs if of == parent)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1], ids=["rank 0", "rank 1"])
def test_no_process_outlives_another(victim: int) -> None:
    """Whichever is killed while it waits for a question, the other and torchrun end, too."""
    with subprocess.Popen(
        command_of("torch_ddp:2"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as torchrun:  # fmt: skip
        assert torchrun.stdin is not None
        assert torchrun.stdout is not None
        torchrun.stdin.write(start_line())
        torchrun.stdin.flush()
        assert b"torch_ddp" in torchrun.stdout.readline()
        ranks = children(torchrun.pid)
        assert len(ranks) == 2
        os.kill(ranks[victim], signal.SIGKILL)
        assert torchrun.wait(timeout=60) != 0
        assert torchrun.stdout.read() == b""
    assert not [pid for pid in ranks if alive(pid)]
