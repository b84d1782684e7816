"""The pytest plugin: every case a test, a fixture of cases, an assertion under derived bounds.

    pytest --mlp-ref-subject=py:module:object      each case a test item mlp_ref::CASE_ID
    def test_mine(mlp_ref_case): ...               a test of one's own, once for every case
    assert_within_bound(got, mlp_ref_case, "z0")   the comparison in it

pytest imports this module at every start. So that this costs nothing, NumPy and the rest of mlp_ref
are imported when an option, the fixture or the assertion is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mlp_ref.arithmetic import Arithmetic
    from mlp_ref.corpus import Corpus
    from mlp_ref.corpus.records import Record
    from mlp_ref.gate.cases import Case
    from mlp_ref.gate.expectations import Expectation
    from mlp_ref.gate.judge import Result
    from mlp_ref.subjects import Session

__all__ = [
    "CaseCollector",
    "CaseItem",
    "Gate",
    "assert_within_bound",
    "mlp_ref_case",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
]

_NAME = "mlp_ref"  # of the collector: the items are mlp_ref::CASE_ID
_MARKER = (
    'mlp_ref(only="mlp/batch-7/*", arithmetic="float32"): the cases of the fixture mlp_ref_case '
    "whose id matches, in that arithmetic or a list of them"
)
_CASES = pytest.StashKey["list[Case]"]()
# name -> placeholder and help
_OPTIONS = {
    "subject": ("SUBJECT", "judge it, as mlp-ref verify does; each case is a test"),
    "arithmetic": ("NAMES", "float32 or float64; all that the subject declares if left out"),
    "only": ("PATTERN", "cases whose id matches, such as '*softplus*'"),
    "require": ("N", "fail if fewer cases are judged; 1 where any is run"),
    "expect": ("LEDGER", "a file of known failures (see mlp_ref.gate.ledger): each is an xfail"),
    "vectors": ("DIR", "judge by another corpus, such as one that mlp-ref certify wrote"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Each option exists on the command line and in the configuration file."""
    group = parser.getgroup(_NAME, "certified cases of mlp-ref")
    for name, (metavar, text) in _OPTIONS.items():
        group.addoption(f"--mlp-ref-{name}", metavar=metavar, help=text)
        parser.addini(f"mlp_ref_{name}", f"{text} (--mlp-ref-{name})")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the gate if there is something to judge."""
    config.addinivalue_line("markers", _MARKER)
    if _option(config, "subject"):
        config.pluginmanager.register(Gate(config), "mlp_ref_gate")
    elif config.getoption("mlp_ref_require"):
        raise pytest.UsageError("--mlp-ref-require needs --mlp-ref-subject")


def _option(config: pytest.Config, name: str) -> str:
    """An option of the command line, else of the configuration file, else an empty string."""
    given = config.getoption(f"mlp_ref_{name}")
    return str(config.getini(f"mlp_ref_{name}") if given is None else given)


# ------------------------------------------------------------------------------------------ cases


def _existing(config: pytest.Config) -> list[Case]:
    """Every case of the corpus; read once."""
    if _CASES not in config.stash:
        from mlp_ref.gate.cases import build_cases

        config.stash[_CASES] = list(build_cases(records=_corpus(config).records))
    return config.stash[_CASES]


def _corpus(config: pytest.Config) -> Corpus:
    from mlp_ref.corpus import load

    return load(folder=_file(config, "vectors"))


def _file(config: pytest.Config, name: str) -> Path | None:
    """The path that an option holds; what the configuration file says is relative to it."""
    if not (path := _option(config, name)):
        return None
    from_file = config.getoption(f"mlp_ref_{name}") is None and config.inipath is not None
    return (config.inipath.parent if from_file and config.inipath else Path()) / path


def _names(text: str) -> list[str]:
    return text.replace(",", " ").split()


# --------------------------------------------------------------------------------- a test per case


class Gate:
    """The hooks of a session in which a subject is judged."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.asked = self.judged = self.require = 0
        self.subject: Session
        self.cases: list[Case]
        self.expectations: tuple[Expectation, ...]

    def pytest_sessionstart(self) -> None:
        """Load the subject and choose its cases; what is wrong with an option takes one line."""
        from mlp_ref.checks import InputError

        try:
            self._prepare()
        except InputError as error:
            raise pytest.UsageError(str(error)) from None

    def _prepare(self) -> None:
        from mlp_ref.checks import fail
        from mlp_ref.gate.cases import choose_cases
        from mlp_ref.gate.ledger import expectations_of
        from mlp_ref.gate.sessions import open_session

        name, number = _option(self.config, "subject"), _option(self.config, "require")
        if number and not (number.isascii() and number.isdigit() and int(number)):
            fail(
                "--mlp-ref-require must be a whole number from 1", repr(number),
                "a run that judged nothing proves nothing",
            )  # fmt: skip
        self.require = int(number or 0)
        self.subject = open_session(name, _corpus(self.config))
        self.expectations = expectations_of(name, _file(self.config, "expect"))
        declared = [
            case
            for case in _existing(self.config)
            if case.arithmetic.name in self.subject.arithmetics
            and case.operation in self.subject.operations
        ]
        if not declared:
            fail(f"{name} must declare an arithmetic and an operation of the cases",
                 ", ".join((*self.subject.arithmetics, *self.subject.operations)),
                 "declare float32 or float64, and mlp")  # fmt: skip
        arithmetics = _names(_option(self.config, "arithmetic"))
        self.cases = choose_cases(declared, _option(self.config, "only"), arithmetics, "--mlp-ref-")

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the cases beside what else the session collects."""
        report = yield
        if isinstance(collector, pytest.Session):
            report.result.append(
                CaseCollector.from_parent(collector, name=_NAME, nodeid=_NAME, gate=self)
            )
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the cases that were asked and judged, on whichever machine they ran."""
        if report.when == "call" and report.nodeid.startswith(f"{_NAME}::"):
            self.asked += 1
            self.judged += dict(report.user_properties).get("verdict") in ("pass", "fail")

    @property
    def missing(self) -> str:
        """What to say if fewer cases were judged than required, or an empty string."""
        least = self.require or min(1, self.asked)
        few = not self.config.getoption("collectonly") and self.judged < least
        return f"cases judged: {self.judged}; required: {least}" if few else ""

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Too few cases fail a session that nothing else fails."""
        green = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if green and self.missing and not hasattr(self.config, "workerinput"):  # one of xdist's
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say why, where no test failed."""
        if self.missing:
            terminalreporter.section("mlp_ref: too few cases", red=True, bold=True)
            terminalreporter.line(self.missing, red=True)


class CaseCollector(pytest.Collector):
    """The cases of the session, beside the files of the user's own tests."""

    def __init__(self, gate: Gate, **node: Any) -> None:
        super().__init__(**node)
        self.gate = gate

    def collect(self) -> Iterator[CaseItem]:
        """One item for each case."""
        for case in self.gate.cases:
            yield CaseItem.from_parent(self, name=case.id, case=case, gate=self.gate)


class CaseItem(pytest.Item):
    """One case as a test."""

    def __init__(self, case: Case, gate: Gate, **node: Any) -> None:
        super().__init__(**node)
        self.case, self.gate, self.text = case, gate, ""

    def reportinfo(self) -> tuple[Path, None, str]:
        """The heading of a failure is the id of the case."""
        return self.config.rootpath / _NAME, None, self.name

    def runtest(self) -> None:
        """Ask the subject; its outcome is that of the test, with a report instead of a traceback.

        What fails as expected is an xfail, strictly: a tensor that was expected to fail and passes
        fails the test.
        """
        from mlp_ref.gate.outcomes import outcome_of, properties_of
        from mlp_ref.gate.run import run_case

        report = run_case(self.gate.subject, self.case, self.gate.expectations)
        outcome = outcome_of(report, self.gate.expectations)
        self.user_properties += properties_of(report)
        self.text = outcome.text
        if outcome.kind == "skip":
            pytest.skip(outcome.text)
        if outcome.kind == "xfail":
            pytest.xfail(outcome.why)  # goes on under --runxfail
        if outcome.kind != "pass":
            pytest.fail(outcome.text, pytrace=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """An xfail shows the report, too, where pytest would show a traceback."""
        expected = isinstance(excinfo.value, pytest.xfail.Exception)
        return self.text if expected else super().repr_failure(excinfo, style)


# ---------------------------------------------------------------------------- tests of one's own


@pytest.fixture
def mlp_ref_case(request: pytest.FixtureRequest) -> Case:
    """A certified case; the test runs once for each that its marker mlp_ref and options choose."""
    if not hasattr(request, "param"):
        pytest.fail("take mlp_ref_case as an argument of the test, or of a fixture", pytrace=False)
    case: Case = request.param
    return case


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the fixture: by what the marker says, and within it by the options."""
    if mlp_ref_case.__name__ not in metafunc.fixturenames:
        return
    from mlp_ref.checks import InputError

    try:
        cases = _marked(metafunc)
    except InputError as error:
        pytest.fail(str(error), pytrace=False)
    metafunc.parametrize("mlp_ref_case", cases, ids=[case.id for case in cases], indirect=True)


def _marked(metafunc: pytest.Metafunc) -> list[Case]:
    """The cases of a test; none, so that it is skipped, where options and marker share none."""
    from mlp_ref.gate.cases import choose_cases

    marker = metafunc.definition.get_closest_marker(_NAME)
    given = dict(marker.kwargs) if marker else {}
    only, arithmetics = given.pop("only", ""), given.pop("arithmetic", ())
    if given or (marker and marker.args):
        pytest.fail(f"the marker must read {_MARKER.partition(':')[0]}", pytrace=False)
    names = [arithmetics] if isinstance(arithmetics, str) else list(arithmetics)
    cases = choose_cases(_existing(metafunc.config), only, names, "the marker mlp_ref: ")
    pattern = _option(metafunc.config, "only") or "*"
    asked = _names(_option(metafunc.config, "arithmetic"))
    return [
        case
        for case in cases
        if fnmatchcase(case.id, pattern) and (not asked or case.arithmetic.name in asked)
    ]


def assert_within_bound(
    got: object, case: Case | Record, tensor: str, *, arithmetic: Arithmetic | str | None = None
) -> Result:
    """`mlp_ref.gate.within.assert_within_bound`, imported when it is called."""
    __tracebackhide__ = True
    from mlp_ref.gate.within import assert_within_bound as within

    return within(got, case, tensor, arithmetic=arithmetic)
