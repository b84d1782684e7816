"""docs/scoreboard.md is what its script writes."""

from __future__ import annotations

import make_scoreboard
import pytest
from make_scoreboard import BEGIN, END, Cell, Score

from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.operations import OPERATIONS as REFERENCE
from mlp_ref.subjects import Question, Subject

PAGE = make_scoreboard.PAGE.read_text("utf-8")


def test_the_reference_is_measured() -> None:
    """Every tensor of the chosen operations once, none of which fails."""
    score = make_scoreboard.measure("numpy", ("softmax", "loss"))
    assert {operation for operation, _ in score.cells} == {"softmax", "loss"}
    assert {key: cell.judged for key, cell in score.cells.items()} == {
        ("softmax", "float64"): 40, ("softmax", "float32"): 40, ("loss", "float64"): 122,
        ("loss", "float32"): 122,
    }  # fmt: skip
    for cell in score.cells.values():
        assert cell.known == 0
        assert 0 < max(cell.ratios) <= 1


def test_a_subject_that_does_not_conform_stops_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing wrong is written into the page."""

    def doubled(question: Question) -> dict[str, object]:
        answer = REFERENCE[question.operation](question.parameters, question.inputs)
        return {name: 2 * tensor for name, tensor in answer.items()}

    wrong = Subject("numpy", doubled, ("softmax",), ("float64",))
    monkeypatch.setattr(make_scoreboard, "open_sessions", lambda *spec, timeout: [wrong])
    with pytest.raises(AssertionError, match="numpy does not conform"):
        make_scoreboard.measure("numpy", ("softmax",))


def test_a_cell_tells_the_largest_ratio_the_digits_and_what_is_known() -> None:
    """A cell without a tensor is empty."""
    assert str(Cell([0.25, 0.5], [15.0, 16.0], 0, 2)) == "0.50, 15.5"
    assert str(Cell([0.25], [15.0], 3, 4)) == "0.25, 15.0, 3 of 4 known to fail"
    assert str(Cell([], [], 2, 2)) == "none passes, 2 of 2 known to fail"
    assert str(Cell([], [], 0, 0)) == ""


def test_the_tables_stand_between_the_marks() -> None:
    """A row per subject; what is around them is kept."""
    scores = [Score("`mine` (mine 1)", {("loss", "float32"): Cell([0.5], [7.0], 0, 1)})]
    text = make_scoreboard.filled(PAGE, scores)
    assert text.partition(BEGIN)[0] == PAGE.partition(BEGIN)[0]
    assert text.partition(END)[2] == PAGE.partition(END)[2]
    assert text.count("| `mine` (mine 1) |") == 1
    assert "0.50, 7.0" in text


def test_the_known_deviations_are_those_of_the_ledgers() -> None:
    """Every entry, word by word."""
    told = list(make_scoreboard.deviations())
    assert len(told) > 10
    assert all(text in PAGE.split("\n") for text in told)


@pytest.mark.parametrize("subject", make_scoreboard.SUBJECTS)
def test_every_subject_is_on_the_page(subject: str) -> None:
    """In both tables, with its version."""
    assert PAGE.count(f"| `{subject}` (") == 2
    assert all(operation in PAGE for operation in OPERATIONS)
