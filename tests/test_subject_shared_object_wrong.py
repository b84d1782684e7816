"""Libraries of the C interface: misuse is told from a refusal, and what is none is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from c_library import ABOUT, Build, builder, question

from mlp_ref.checks import InputError
from mlp_ref.subjects import Kind, Question, load


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> Build:
    return builder(tmp_path)


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("code", "kind"), [("SKIP", Kind.SKIP), ("REJECT", Kind.REJECT), ("ERROR", Kind.ERROR)]
)
def test_codes_and_reasons(code: str, kind: Kind, build: Build) -> None:
    """Each code with its reason, up to the first 0, and without one."""
    told = load(build(f'strcpy(q->message, "be\\xc3\\xa9 \\xff\\0no"); return MLP_REF_{code};'))
    assert told.ask(question()).kind == kind
    assert told.ask(question()).reason == "be\xe9 \ufffd"
    silent = load(build(f"return MLP_REF_{code};"))
    assert silent.ask(question()).reason == "no reason given"


MISUSE = {
    "past the end": ("((char *)y->data)[size * 8] = 1;", "outside of the buffer of 'y'"),
    "before the start": ("((char *)y->data)[-1] = 1;", "outside of the buffer of 'y'"),
    "another row": (
        "((double *)q->output[1].data)[size + 2] = 0;",
        "outside of the buffer of 'dx'",
    ),
    "past an input": ("((char *)x->data)[size * 8] = 1;", "outside of the buffer of 'x'"),
    "a changed input": ("((double *)x->data)[0] = -0.0;", "changed its input 'x'"),
    "a long message": ("memset(q->message, 'a', q->message_size + 1);", "the buffer of 'message'"),
    "moved data": ("y->data = malloc(64);", "moved 'y'"),
    "half given": ("y->given = 2;", "given of 'y' must be 0 or 1; got 2"),
    "another code": ("return 7;", "must return 0, 1, 2 or 3; got 7"),
    "a negative code": ("return -1;", "must return 0, 1, 2 or 3; got -1"),
    "nothing given": ("y[0].given = y[1].given = 0;", "answered without an output"),
}


@pytest.mark.parametrize("what", MISUSE)
def test_misuse_is_an_error(what: str, build: Build) -> None:
    """Not a refusal, which would pass where the inputs are wrong; the reason names the tensor."""
    statement, reason = MISUSE[what]
    reply = load(build("", statement)).ask(question())
    assert reply.kind == Kind.ERROR
    assert reason in reply.reason


def test_a_message_that_fills_its_buffer_is_read_to_its_end(build: Build) -> None:
    """Without a final 0, too."""
    spec = build("memset(q->message, 'a', q->message_size); return MLP_REF_REJECT;")
    assert load(spec).ask(question()).reason == "a" * 1024


def test_an_output_that_is_not_given_is_left_out(build: Build) -> None:
    """The gate counts it as skipped."""
    left_out = load(build("", "y->given = 0;")).ask(question())
    assert list(left_out.tensors) == ["dx"]


def test_what_is_not_written_is_nan(build: Build) -> None:
    """Nothing that happens to lie in memory passes for an answer."""
    reply = load(build("y[0].given = y[1].given = 1; return 0;")).ask(question())
    assert np.isnan(reply.tensors["y"]).all()
    assert np.isnan(reply.tensors["dx"]).all()


def test_no_rows_are_asked_and_answered(build: Build) -> None:
    """Buffers without an entry have an address, too."""
    reply = load(build()).ask(question(rows=0))
    assert reply.tensors["y"].shape == (0, 3)


def test_three_dimensions_are_skipped(build: Build) -> None:
    """The interface holds two."""
    x = np.ones((1, 2, 3))
    reply = load(build()).ask(Question("softmax", "float64", {}, {"x": x, "g": x}))
    assert reply.kind == Kind.SKIP
    assert "two dimensions" in reply.reason


# ------------------------------------------------------------------------- what cannot be loaded


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        (None, "a line must be JSON"),
        ("", "a line must be JSON"),
        ("{", "a line must be JSON"),
        ("[]", "must be a JSON object"),
        ('{"operations": ["mlp"], "arithmetics": ["float64"]}', "must have the key 'abi'"),
        (ABOUT.replace("1", "2", 1), "abi must be 1; got int 2; compile it anew"),
        (ABOUT.replace("1", "true", 1), "abi must be 1; got bool True"),
        (ABOUT.replace("1", '"1"', 1), "abi must be 1; got str '1'"),
        (ABOUT.replace("{", '{"protocol": 1, ', 1), "must have no other keys"),
        (ABOUT.replace("{", '{"colour": "red", ', 1), "must have no other keys"),
        (ABOUT.replace("softmax", "convolution"), "must be among activation, dense"),
        (ABOUT.replace("float32", "float31"), "must be among"),
        ('{"abi": 1, "operations": ["mlp"]}', "must have the key 'arithmetics'"),
        ('{"abi": 1, "error": "no board is connected"}', "no board is connected"),
    ],
)
def test_a_wrong_description_is_refused(about: str | None, reason: str, build: Build) -> None:
    """No JSON, another interface, unknown names, a key too many or too few."""
    spec = build("", "", about)
    with pytest.raises(InputError) as found:
        load(spec)
    assert str(found.value).startswith(f"mlp_ref_describe of {spec}: ")
    assert reason in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["RUN", "DESCRIBE"])
def test_a_missing_function_is_named(name: str, build: Build) -> None:
    """With what C++ needs."""
    spec = build("", "", ABOUT, f"-DNO_{name}")
    with pytest.raises(InputError, match=f'must export mlp_ref_{name.lower()}; .*extern "C"'):
        load(spec)


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    """Text, nothing, a folder: each in one line."""
    text = tmp_path / "text.so"
    text.write_text("no library")
    with pytest.raises(InputError, match="must be a library for this machine") as found:
        load(f"so:{text}")
    assert "\n" not in str(found.value)
    for missing in (f"so:{tmp_path / 'none.so'}", f"so:{tmp_path}", "so:", "so:none.so"):
        with pytest.raises(InputError, match="must name a shared library; got no such file"):
            load(missing)


def test_a_path_is_one_from_the_current_directory(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a slash, too: libraries of the system are not searched."""
    path = Path(build().removeprefix("so:"))
    monkeypatch.chdir(path.parent)
    assert load(f"so:{path.name}").ask(question()).kind == Kind.ANSWER
