"""The harnesses in other languages: each conforms, and its twin with one mistake does not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from peers import network_case

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.corpus import load
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import CaseReport, run_case, run_cases
from mlp_ref.gate.sessions import open_session
from mlp_ref.gate.transports.files import write_questions

FOLDER = Path(__file__).parent / "harnesses"
CORPUS = load()
CASES = list(build_cases(operations=["mlp"]))
COMPILERS = {"c": ("cc", "gcc"), "cpp": ("c++", "g++"), "rust": ("rustc",), "js": ("node",)}
SOURCES = ("mlp.c", "mlp_lines.c", "mlp.cpp", "mlp.rs", "mlp.js")
SUBJECTS: Mapping[str, tuple[str, str]] = {  # name -> language, spec
    "c-float64": ("c", "so:{build}/mlp64.so"),
    "c-float32": ("c", "so:{build}/mlp32.so"),
    "cpp": ("cpp", "cmd:{build}/mlp_cpp"),
    "rust": ("rust", "cmd:{build}/mlp_rs"),
    "js": ("js", f"cmd:node {FOLDER / 'mlp.js'}"),
}
Spec = Callable[[str, str], str]


def require(language: str) -> None:
    """Skip without a compiler; on a CI machine it must be there."""
    if not any(map(shutil.which, COMPILERS[language])) or not shutil.which("make"):
        names = " or ".join(COMPILERS[language])
        reason = f"make and {names} must be there for the harness in {language}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    """Language and template of a subject -> what the gate is called with; it is built once."""
    build, built = tmp_path_factory.mktemp("harnesses"), set[str]()

    def subject(language: str, template: str) -> str:
        require(language)
        if language not in built:
            command = ["make", "-s", "-C", str(FOLDER), f"B={build}", language]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""  # not even a warning
            built.add(language)
        return template.format(build=build)

    return subject


def asked(subject: str, cases: list[Case]) -> list[CaseReport]:
    """The reports of a subject on those of the cases that are of its arithmetics."""
    session = open_session(subject, CORPUS)
    try:
        chosen = [case for case in cases if case.arithmetic.name in session.arithmetics]
        return list(run_cases(session, chosen))
    finally:
        session.close()


def failing(reports: list[CaseReport]) -> dict[str, set[str]]:
    """Case -> tensors that fail; nothing else may be wrong with a case."""
    assert {report.verdict for report in reports} <= {Verdict.PASS, Verdict.FAIL}
    return {r.case.id: {q.tensor for q in r.failures} for r in reports if r.failures}


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_harness_passes_every_case_of_its_arithmetic(name: str, spec: Spec) -> None:
    """No failure, no error and no skip: every tensor is compared, every wrong input refused."""
    reports = asked(spec(*SUBJECTS[name]), CASES)
    both = not name.startswith("c-")  # the C ones have one arithmetic, which their name ends with
    assert len(reports) == sum(both or name.endswith(case.arithmetic.name) for case in CASES)
    assert {r.case.id: r.results for r in reports if r.verdict != Verdict.PASS} == {}
    compared = {result.tensor for report in reports for result in report.results}
    assert {"z0", "a0", "loss", "g", "dW0", "db0", "dx", "rejection"} <= compared
    assert all(r.verdict == Verdict.PASS for report in reports for r in report.results)


@pytest.mark.parametrize("last", ["softmax", "log_softmax"])
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_last_activation_may_be_softmax(name: str, last: str, spec: Spec) -> None:
    """As in vectors of one's own, for every loss that takes such outputs."""
    cases = [
        network_case(f"{last}/{loss}/{soft}", ("tanh", last), (4, 5, 3), loss, A, soft=soft, rows=7)
        for A in (ARITHMETICS["float64"], ARITHMETICS["float32"])
        for loss in ("squared_error", "cross_entropy", "binary_cross_entropy")
        for soft in (False, True)
    ]
    reports = asked(spec(*SUBJECTS[name]), cases)
    assert len(reports) in (6, 12)
    assert failing(reports) == {}


def test_the_token_form_serves_the_network_in_c(spec: Spec, tmp_path: Path) -> None:
    """Questions in a file, answers in a file: every float64 case passes, others are skipped."""
    questions = [case.question() for case in CASES]
    write_questions(tmp_path, questions, CORPUS.sha256, CORPUS.version)
    program = spec("c", "{build}/mlp_lines")
    text = (tmp_path / "questions.txt").read_bytes()
    done = subprocess.run([program], input=text, capture_output=True, check=True)
    (tmp_path / "answers.txt").write_bytes(done.stdout)
    reports = asked(f"files:{tmp_path}", CASES)
    assert len(reports) == sum(case.arithmetic.name == "float64" for case in CASES)
    assert failing(reports) == {}
    assert done.stdout.count(b"\nskip ") == sum(c.arithmetic.name == "float32" for c in CASES)


# ------------------------------------------------------------------------------------ their twins


def mean_of_one(case: Case) -> bool:
    """Whether the loss is the mean of a single term."""
    n, classes = case.network.x.shape[0], case.network.params.sizes[-1]
    return n * (1 if case.network.loss.name == "cross_entropy" else classes) == 1


def test_a_gradient_that_is_summed_is_rejected(spec: Spec) -> None:
    """C: the forward pass passes, and what is wrong are g and what follows from it."""
    reports = asked(spec("c", "so:{build}/broken.so"), CASES)
    wrong = failing(reports)
    for report in reports:
        tensors = wrong.get(report.case.id, set())
        assert not any(tensor[0] in "za" or tensor == "loss" for tensor in tensors)
        if not report.case.rejects:
            zero = not report.case.expected()["g"].hi.any()
            assert ("g" in tensors) is not (mean_of_one(report.case) or zero)


def test_softmax_shifted_by_the_maximum_of_the_batch_is_rejected(spec: Spec) -> None:
    """C++: cross_entropy of logits that lie far apart, in both arithmetics, and nothing else."""
    wrong = failing(asked(spec("cpp", "cmd:{build}/broken_cpp"), CASES))
    assert all("/cross_entropy/" in name for name in wrong)
    for name in (case.id for case in CASES):
        if name.startswith("mlp/logits-row-maxima/cross_entropy"):
            assert {"loss", "g"} <= wrong[name]
    assert wrong


def test_weights_that_are_read_as_transposed_are_rejected(spec: Spec) -> None:
    """Rust: the last layer's dW and db pass, the gradients before it do not."""
    reports = asked(spec("rust", "cmd:{build}/broken_rs"), CASES)
    wrong, seen = failing(reports), set[str]()
    for report in reports:
        last = len(report.case.record.parameters["activations"]) - 1
        before = {f"{part}{k}" for k in range(last) for part in ("dW", "db")} | {"dx"}
        assert wrong.get(report.case.id, set()) <= before
        seen |= wrong.get(report.case.id, set())
        if "Square" in report.case.record.flags:  # where the sizes do not tell
            assert "dx" in wrong[report.case.id]
    assert {"dW0", "db0", "dx"} <= seen


def test_gelu_by_tanh_is_rejected(spec: Spec) -> None:
    """JavaScript: cases with gelu alone, and all of them but those at the ends of gelu's range."""
    wrong = failing(asked(spec("js", f"cmd:node {FOLDER / 'mlp.js'} --broken"), CASES))
    using = {case.id for case in CASES if "gelu" in case.record.parameters["activations"]}
    assert set(wrong) <= using
    assert {name.split("/")[1] for name in using - set(wrong)} <= {"points-tails", "points-tiny"}


# ---------------------------------------------------------------------------------- their texts


@pytest.mark.parametrize("name", SOURCES)
def test_a_harness_is_short(name: str) -> None:
    """Under 200 lines of at most 100 characters, plain ASCII."""
    lines = (FOLDER / name).read_text("ascii").splitlines()
    assert len(lines) < 200
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() or "\t" in line for line in lines)


@pytest.mark.parametrize(
    ("language", "command"),
    [
        ("c", ["-std=c99", "-xc"]),
        ("cpp", ["-std=c++98", "-xc++"]),
        ("cpp", ["-std=c++17", "-xc++"]),
    ],
)
def test_the_header_is_clean(language: str, command: list[str], tmp_path: Path) -> None:
    """Alone and twice, in C99 and C++, without a warning."""
    require(language)
    header = FOLDER.parent / "mlp_ref.h"
    source = tmp_path / "twice"
    source.write_text(f'#include "{header}"\n#include "{header}"\nint main(void) {{ return 0; }}\n')
    compiler = next(filter(shutil.which, COMPILERS[language]))
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"]
    done = subprocess.run([compiler, *flags, *command, source], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_has_no_compiler_is_skipped_and_named(tmp_path: Path) -> None:
    """With none at all nothing is proven, and `make check` fails."""
    none = [f"{name}=no-such-program" for name in ("CC", "CXX", "RUSTC", "NODE")]
    command = ["make", "-s", "-C", str(FOLDER), "check", f"B={tmp_path}", *none]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "skipped  rust: no no-such-program" in done.stdout
    assert done.stdout.endswith(
        "0 subjects checked, 0 wrong; 4 of 4 languages skipped: c c++ rust javascript\n"
    )


def test_a_case_alone_reports_a_skip_of_what_is_not_implemented(spec: Spec) -> None:
    """The programs say so themselves if they are asked for another operation."""
    case = next(iter(build_cases(operations=["dense"])))
    for name in ("cpp", "rust", "js"):
        session = open_session(spec(*SUBJECTS[name]), CORPUS)
        try:
            report = run_case(session, case)
        finally:
            session.close()
        assert report.verdict == Verdict.SKIP
