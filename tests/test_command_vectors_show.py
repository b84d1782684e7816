"""``mlp-ref vectors show``: everything about one case, to the last bit, in 80 columns."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from example_records import activation, dense, records, rejected

from mlp_ref.cli import main
from mlp_ref.commands import vectors
from mlp_ref.commands.vectors_show import decimal, shown
from mlp_ref.corpus import Corpus, load, write
from mlp_ref.corpus.hexwords import from_hex
from mlp_ref.corpus.kills import kills_of_case
from mlp_ref.corpus.records import FLAGS
from mlp_ref.faults import FAULTS

WIDTH = 80


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The corpus itself."""
    return load()


def run(record_id: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What ``show`` prints."""
    assert main(["vectors", "show", record_id, *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.fixture
def few(tmp_path: Path) -> str:
    """A folder with few cases."""
    write(tmp_path, "2026.1", records())
    return str(tmp_path)


def test_everything_about_a_case_is_shown(few: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Note, level, provenance, flags, parameters, inputs and what is expected, bit by bit."""
    text = run(activation().id, capsys, "--vectors", few)
    flags = [f"  {flag}: {FLAGS[flag][:30]}" for flag in ("Kink", "SignedZero")]
    for expected in (
        "activation/every-field/relu/float64\n  every field\n  level 3, float64, since 2026.1\n",
        "  certified with 192 bits; a second oracle agrees: values to 32 digits\n", *flags,
        "\nparameters\n  function  relu\n",
        "\ninputs\n  x (2, 3) float64\n",
        "    [0, 1]                         -0.0  8000000000000000\n",
        "    [0, 2]                          nan  7ff8000000000000\n",
        "    [1, 2]                       5e-324  0000000000000001\n",
        "  y (2, 3), bounds for float64\n",
        "    [0, 2]    nan                                       bound 0.0e+00\n",
        "              hi 7ff8000000000000  lo 0000000000000000  radius 0.0e+00\n",
        "    [1, 1]    0.0                                       bound inf\n",
        "    the sign of a zero counts\n",
        "  dx (2, 3), bounds for float64\n",
        "    [0, 0]    0.33333333333333332408147479479036        bound 4.4e-16\n",
        "              hi 3fd5555555555555  lo 3c65555555555555  radius 3.1e-33\n",
        "              one of a set: 0.0, 0.5, 1.0 are right\n",
        "              one of a set: -0.0, 1.0 are right\n",
    ):  # fmt: skip
        assert expected in text
    assert "more, with --all" not in text


def test_generated_and_partly_stored_tensors(few: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe and the numbers that it gives; indices, the checksum, and two bounds."""
    text = run(dense().id, capsys, "--vectors", few)
    x = dense().arrays()["W"]
    for expected in (
        "  W (3, 4) float32, generated from\n",
        "    seed f000000000000001  modulus 7  offset -3  scale 0.5\n",
        f"    [0, 0] {x[0, 0]!s:>28}  ",
        "  dW (3, 4), bounds for float64 and float32\n    [0, 0] ",
        "    [1, 1]    0.66666666666666664816294958958072        bound 4.4e-16 2.4e-07\n",
        "    [2, 3]    1", "    3 of 12 entries are stored\n    checksum -12.5 of all\n",
    ):  # fmt: skip
        assert expected in text


def test_a_case_to_be_rejected_says_why(few: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No numbers are expected, but an error, for a reason in words."""
    text = run(rejected().id, capsys, "--vectors", few)
    assert text.endswith(
        "expected: an error, and no numbers\n"
        "  labels: labels outside 0 ... C - 1, too many or too few\n"
    )
    assert "  z (0, 3) float64\n  target (2,) int64\n" in text
    assert "    [1]                              -1  ffffffffffffffff\n" in text


def test_long_tensors_are_cut_unless_all_is_asked_for(
    corpus: Corpus, capsys: pytest.CaptureFixture[str]
) -> None:
    """The count of what is left out; and all, with every word in its place."""
    record = corpus.record("activation/moderate/sigmoid/float64")
    size = record.expected["y"].hi.size
    short = run(record.id, capsys)
    assert short.count(f"    ... and {size - vectors._FIRST} more, with --all") == 4  # x, g, y, dx
    full = run(record.id, capsys, "--all")
    assert "more" not in full
    found = [re.findall(rf"{key} ([0-9a-f]{{16}})", full) for key in ("hi", "lo")]
    for words, part in zip(found, ("hi", "low"), strict=True):
        expected = [getattr(record.expected[name], part).reshape(-1) for name in ("y", "dx")]
        assert from_hex("".join(words), "float64").tolist() == np.concatenate(expected).tolist()


def test_80_columns_are_enough(corpus: Corpus) -> None:
    """For every case of the corpus, but for the id itself."""
    for record in corpus.records:
        assert all(len(line) <= WIDTH for line in list(shown(record, 3))[1:]), record.id


@pytest.mark.parametrize("hi", [1.0, -0.1, 1e300, 2.0**-1060, 123456789012345.0, 1e16, -1e-5])
def test_32_digits_are_those_of_the_sum(hi: float) -> None:
    """hi + lo rounded to 32 digits; from them alone hi can be read back."""
    low = float(np.spacing(np.abs(hi))) * 0.3
    text = decimal(hi, low)
    exact = Fraction(hi) + Fraction(low)
    assert abs(Fraction(Decimal(text)) - exact) <= abs(exact) / 10**31
    assert float(text) == hi


@pytest.mark.parametrize(
    ("hi", "text"),
    [
        (0.0, "0.0"), (-0.0, "-0.0"), (np.inf, "inf"), (-np.inf, "-inf"), (np.nan, "nan"),
        (1.0, "1"), (-0.25, "-0.25"), (2.0**60, "1.152921504606846976e+18"),
    ],
)  # fmt: skip
def test_exact_numbers_are_short(hi: float, text: str) -> None:
    """Zeros have their sign, exact numbers no trailing zeros."""
    assert decimal(hi, 0.0) == text


def test_the_faults_that_a_case_kills_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """How many, first those that no other case of the arithmetic rejects, and how to run one."""
    case = "loss/nan/cross_entropy/float64"
    names = sorted(kills_of_case(case), key=list(FAULTS).index)
    lone = "loss-nan-swallowed"
    names.remove(lone)
    told = f"\n\nkills {len(names) + 1} of the {len(FAULTS)} faults of the catalogue\n"
    first = f"{told}  {lone}, alone in this arithmetic\n  {names[0]}\n  {names[1]}\n"
    ends = f"\n  see mlp-ref verify fault:{lone}\n"
    some, whole = run(case, capsys), run(case, capsys, "--all")
    for text in (some, whole):
        assert first in text
        assert text.endswith(ends)
    assert f"\n  {names[6]}\n    ... and {len(names) - 7} more, with --all{ends}" in some
    assert whole.endswith("\n  ".join(["", *names]) + ends)


def test_faults_are_shown_of_our_own_cases_alone(
    few: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a case that rejects none it says so; not of wrong inputs, nor of another corpus."""
    assert "\nkills 0 of the " in run("activation/not-finite/identity/float64", capsys)
    assert "kills" not in run("mlp/rejects/width-of-x/float64", capsys)
    assert "kills" not in run(activation().id, capsys, "--vectors", few)
