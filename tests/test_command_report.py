"""``mlp-ref report``: one page of one or several reports, written as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_files import plain, save, written
from report_pages import Reader

from mlp_ref.cli import main


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text(written())


def report(*args: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit status and what is printed."""
    return main(["report", *args]), *capsys.readouterr()


def test_it_writes_one_page(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all reports, and says so; status 0 although they do not conform."""
    Path("b.jsonl").write_text(written())
    done = report("a.jsonl", "b.jsonl", "--html", "out.html", capsys=capsys)
    assert done == (0, "out.html shows 2 reports\n", "")
    text = Path("out.html").read_text("utf-8")
    assert "mine 1.2 (a.jsonl) FAIL Does not conform: 3 of 4 cases pass" in Reader(text).text
    assert sorted(path.name for path in Path().iterdir()) == ["a.jsonl", "b.jsonl", "out.html"]


def test_it_writes_the_same_page_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Over the one that stands there."""
    pages = []
    for _ in range(2):
        assert report("a.jsonl", "--html", "out.html", capsys=capsys)[0] == 0
        pages.append(Path("out.html").read_bytes())
    assert pages[0] == pages[1]


def test_what_verify_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """Refusals, networks and training steps of the real corpus, in both arithmetics."""
    for name, pattern in (("n", "*/rejects/*"), ("m", "train_step/sgd/*")):
        assert main(["verify", "--only", pattern, "--jsonl", f"{name}.jsonl"]) == 0
    capsys.readouterr()
    status, _, _ = report("n.jsonl", "m.jsonl", "--html", "out.html", capsys=capsys)
    assert status == 0
    read = Reader(Path("out.html").read_text("utf-8"))
    head, refusals, steps = read.table("Where every tensor stands")
    assert refusals[head.index("refused, rightly")] == refusals[-1] == "130"
    assert steps[head.index("refused, rightly")] == "0"
    assert "cases those that match 'train_step/sgd/*'" in read.text


@pytest.mark.parametrize("linked", [False, True])
def test_no_report_is_overwritten(linked: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither under its own name nor under another."""
    name = "a.jsonl"
    if linked:
        name = "link.html"
        Path(name).symlink_to("a.jsonl")
    status, out, err = report("a.jsonl", "--html", name, capsys=capsys)
    assert (status, out) == (2, "")
    assert err == (
        f"mlp-ref: error: --html must not be a file that is read; got {name!r}; "
        "choose another name\n"
    )
    assert Path("a.jsonl").read_text() == written()


def test_reports_about_other_corpora_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, one line, and the page that stood there stays."""
    records = plain()
    records[0]["corpus"] = "2027.1"
    save("b.jsonl", records)
    Path("out.html").write_text("before")
    status, out, err = report("a.jsonl", "b.jsonl", "--html", "out.html", capsys=capsys)
    assert (status, out) == (2, "")
    assert err == (
        "mlp-ref: error: 'b.jsonl' must have the same corpus as 'a.jsonl'; got '2027.1' where that "
        "has '2026.1'; show reports about one corpus\n"
    )
    assert Path("out.html").read_text() == "before"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["none.jsonl", "--html", "o.html"], "'none.jsonl' must be a file that can be read"),
        (["a.jsonl", "--html", "no/o.html"], "'no/o.html' must be a file that can be written"),
        (["a.jsonl", "--html", "."], "'.' must be a regular file"),
        (["a.jsonl"], "the following arguments are required: --html"),
        (["--html", "o.html"], "the following arguments are required: REPORT"),
        (["cut.jsonl", "--html", "o.html"], "'cut.jsonl' line 1 must "),
    ],
)
def test_errors_take_one_line(
    args: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and nothing is written."""
    Path("cut.jsonl").write_text(written()[:100])
    status, out, err = report(*args, capsys=capsys)
    assert (status, out) == (2, "")
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1
    assert not Path("o.html").exists()
