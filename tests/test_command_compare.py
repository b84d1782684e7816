"""``mlp-ref compare``: exit statuses, what it prints, the baseline, and damaged reports."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from report_files import (
    CASE64,
    FIRST,
    SECOND,
    THIRD,
    Edit,
    changes,
    counted,
    erring,
    gone,
    leave_out,
    nothing,
    plain,
    ratio,
    refused,
    skipped,
    update,
)

from mlp_ref.cli import main
from mlp_ref.gate.compare import WORSE

COMMAND = ["compare", "base.jsonl", "head.jsonl"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, *edits: Edit) -> None:
    """The plain report after edits."""
    records = plain()
    for edit in edits:
        edit(records)
    counted(path, records)


def compare(
    status: int, capsys: pytest.CaptureFixture[str], *options: str, text: str = ""
) -> list[str]:
    """The lines that compare prints; its exit status and standard error are as stated."""
    assert main([*COMMAND, *options]) == status
    out, err = capsys.readouterr()
    assert err.startswith(f"mlp-ref: error: {text}" if text else "")
    assert err.count("\n") == bool(text)
    return out.splitlines()


def test_nothing_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """A report equals itself: status 0, with the number of tensors and cases."""
    write("base.jsonl")
    write("head.jsonl")
    n = len(plain()) - 2
    assert compare(0, capsys) == [
        f"base  base.jsonl: mine 1.2, corpus 2026.1, {n} tensors in 4 cases",
        f"head  head.jsonl: mine 1.2, corpus 2026.1, {n} tensors in 4 cases",
        "",
        f"PASS  nothing changed: {n} tensors in 4 cases",
    ]


def test_better_is_listed_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """What newly passes, is smaller, or is new, in a line each, with before and after."""
    base = (refused(FIRST, "a0"), ratio(0.5, 1e6), erring(SECOND, "loss"), leave_out(SECOND, "a1"))
    write("base.jsonl", *base)
    write("head.jsonl", ratio(0.25, 1e6), skipped(SECOND, "loss"))
    n = len(plain()) - 2
    out = compare(0, capsys)
    assert out[3:5] == [
        f"PASS  nothing is worse: {n} tensors in 4 cases",
        f"  better 3   new 1   within the factor 0   unchanged {n - 4}",
    ]
    text = "\n".join(out)
    assert f"better  newly passing: 1 tensor in 1 case\n{FIRST}\n  a0[" in text
    assert f"better  error/bound smaller: 1 tensor in 1 case\n{CASE64}\n  z0[" in text
    assert "0.500 -> 0.250" in text
    assert f"better  error no more: 1 tensor in 1 case\n{SECOND}\n  loss" in text
    assert f"also  new: 1 tensor in 1 case\n{SECOND}\n  a1" in text


def test_worse_is_a_table_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1: counts first, then tensor, index, error/bound, ULP, digits, in 80 columns."""
    changed = update(CASE64, "z0", index=[12, 34], ulp=8.0, digits=14.5)
    write("base.jsonl", ratio(0.25), changed)
    head = (ratio(2.0, 1e6), update(CASE64, "z0", index=[12, 34], ulp=1e6, digits=3.25))
    long = "no such kernel " * 20
    write(
        "head.jsonl", *head, gone(THIRD), skipped(FIRST, "a0"), refused(FIRST, "a1"),
        erring(FIRST, "db0"), update(FIRST, "db0", reason=f"RuntimeError: {long}"),
    )  # fmt: skip
    out = compare(1, capsys)
    assert max(map(len, out)) <= 80
    lost = sum(r.get("case") == THIRD for r in plain())
    assert " ".join(out[3:5]).split() == (
        f"WORSE {lost + 4} of {len(plain()) - 2} tensors, in {2 + (CASE64 != FIRST)} of 4 cases: "
        f"newly error 1, newly failing 2, newly skipped 1, vanished {lost}"
    ).split()  # fmt: skip
    text = "\n".join(out)
    assert "entry           error/bound           ULP                   digits" in text
    assert (
        "z0[12, 34]      0.250 -> 2.00         8.0 -> 1.00e+06       14.5 -> 3.2"
        in text.replace("2.0  ", "2.00 ")
    )
    assert f"\n{FIRST}\n  db0\n    RuntimeError: no such kernel no such" in text
    assert "-> -" in text
    assert f"WORSE  vanished: {lost} tensors in 1 case\n{THIRD}\n  z0 a0 z1 a1 loss g" in text


def test_growth_is_worse_unless_the_factor_allows_it(capsys: pytest.CaptureFixture[str]) -> None:
    """--max-growth is the factor, 1.25 unless it is given."""
    write("base.jsonl", ratio(0.25, 1e6))
    write("head.jsonl", ratio(0.45, 1e6))
    assert any("error/bound grown: 1 tensor in 1 case" in line for line in compare(1, capsys))
    compare(1, capsys, "--max-growth", "1.7")
    out = compare(0, capsys, "--max-growth", "1.9")
    assert any("within the factor 1 " in line for line in out)


def test_the_stricter_skip(capsys: pytest.CaptureFixture[str]) -> None:
    """--no-new-skip refuses a skip where there was an error."""
    write("base.jsonl", erring(FIRST, "a0"))
    write("head.jsonl", skipped(FIRST, "a0"))
    compare(0, capsys)
    compare(1, capsys, "--no-new-skip")


def test_another_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, unless --allow-other-corpus."""
    write("base.jsonl")
    write("head.jsonl", lambda records: records[0].update(corpus_sha256="f" * 64))
    compare(2, capsys, text="'head.jsonl' must be about the corpus of 'base.jsonl'; got 2026.1 (f")
    compare(0, capsys, "--allow-other-corpus")


def test_text_of_a_subject_cannot_harm_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters and halves of surrogates are printed as escapes."""
    write("base.jsonl")
    write("head.jsonl", erring(FIRST, "a0"), update(FIRST, "a0", reason="\x1b[2J \ud800 \x00"))
    assert r"    \x1b[2J \ud800 \x00" in compare(1, capsys)


@pytest.mark.parametrize("factor", ["0.9", "nan", "inf", "-1"])
def test_a_factor_that_accepts_everything_is_refused(
    factor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, one line."""
    write("base.jsonl")
    write("head.jsonl")
    compare(2, capsys, f"--max-growth={factor}", text="--max-growth must be a number, 1 or more; ")


# ------------------------------------------------------------------------------------ the baseline


def test_the_baseline_never_moves_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither if all is better nor if something is worse."""
    for base, head in ((refused(FIRST, "a0"), nothing), (nothing, refused(FIRST, "a0"))):
        write("base.jsonl", base)
        write("head.jsonl", head)
        before = Path("base.jsonl").read_bytes()
        assert main(COMMAND) in (0, 1)
        assert Path("base.jsonl").read_bytes() == before
    assert "copy" not in capsys.readouterr().out


@pytest.mark.parametrize(("status", "although"), [(0, ""), (1, ", although 1 of its tensors ")])
def test_the_baseline_moves_if_asked(
    status: int, although: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--update copies the head byte by byte and says so; if it is worse, that, too, with 1."""
    write("base.jsonl")
    write("head.jsonl", refused(FIRST, "a0") if status else nothing)
    *_, blank, last = compare(status, capsys, "--update")
    assert blank == ""
    assert last.startswith(f"base.jsonl is now a copy of head.jsonl{although}")
    assert Path("base.jsonl").read_bytes() == Path("head.jsonl").read_bytes()
    assert {path.name for path in Path().iterdir()} == {"base.jsonl", "head.jsonl"}
    compare(0, capsys)


def test_the_baseline_is_replaced_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error while writing leaves the old one and no other file."""
    write("base.jsonl")
    write("head.jsonl", refused(FIRST, "a0"))
    before = Path("base.jsonl").read_bytes()

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main([*COMMAND, "--update"]) == 2
    assert "'base.jsonl' must be a file that can be written; got 'No " in capsys.readouterr().err
    assert Path("base.jsonl").read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"base.jsonl", "head.jsonl"}


@pytest.mark.parametrize("broken", ["base.jsonl", "head.jsonl"])
def test_a_damaged_report_does_not_move_the_baseline(
    broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and the file stays as it is."""
    write("base.jsonl")
    write("head.jsonl")
    lines = Path(broken).read_text().splitlines(keepends=True)
    Path(broken).write_text("".join(lines[:-1]))
    before = Path("base.jsonl").read_bytes()
    compare(2, capsys, "--update", text=f"'{broken}' must end with its summary; got a run that was")
    assert Path("base.jsonl").read_bytes() == before


# ------------------------------------------------------------------------------------ random damage

WORSENED = [
    erring(FIRST, "a0"), refused(FIRST, "a1"), skipped(FIRST, "db0"), leave_out(SECOND, "dW0"),
    gone(THIRD), ratio(0.5), ratio(2.0),
    update(THIRD, "dx", expectation=None),
]  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """One to three times: a bit flipped, a piece or lines cut, lines repeated or exchanged."""
    for _ in range(rng.randint(1, 3)):
        lines = content.splitlines(keepends=True)
        if not lines:
            break
        i, j = sorted(rng.choices(range(len(lines)), k=2))
        match rng.randrange(6):
            case 0:
                flipped = bytearray(content)
                flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
                content = bytes(flipped)
                continue
            case 1:
                return content[: rng.randrange(len(content))]
            case 2:
                del lines[i : i + rng.randint(1, 3)]
            case 3:
                lines[j:j] = lines[i : i + rng.randint(1, 3)]
            case 4:
                lines[i], lines[j] = lines[j], lines[i]
            case 5:
                lines[i], first = lines[j], lines[i][: rng.randrange(len(lines[i]))]
                lines[j] = first + lines[j]
        content = b"".join(lines)
    return content


@pytest.mark.slow
def test_damage_is_no_pass_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 damaged reports, of either side: 1 or 2, in one line, where a result got worse."""
    rng = random.Random(20_260_101)
    base = ratio(0.25, 1e6)
    for edit in WORSENED:
        assert set(changes(base, edit)) & WORSE
    write("base.jsonl", base)
    whole = Path("base.jsonl").read_bytes()
    statuses = []
    for number in range(2_000):
        if number % 250 == 0:
            write("worse.jsonl", WORSENED[number // 250])
            worse = Path("worse.jsonl").read_bytes()
        sides = [damaged(whole, rng), worse] if number % 2 else [whole, damaged(worse, rng)]
        Path("base.jsonl").write_bytes(sides[0])
        Path("head.jsonl").write_bytes(sides[1])
        statuses.append(main(COMMAND))
        out, err = capsys.readouterr()
        assert statuses[-1] in (1, 2), (number, out)
        assert err.count("\n") == (statuses[-1] == 2), err
        assert err.startswith("mlp-ref: error: '" if err else "")
    assert statuses.count(1) > 20
    assert statuses.count(2) > 1_000
