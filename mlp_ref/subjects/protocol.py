"""What a subject is: one function that answers questions, and what it says about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from mlp_ref.arithmetic import ARITHMETICS, Array
from mlp_ref.checks import describe, fail
from mlp_ref.corpus.names import REJECTS
from mlp_ref.corpus.records import OPERATIONS

__all__ = ["CONVENTIONS", "Kind", "Question", "Reply", "Session", "Subject"]

# name -> flag of the cases that a subject with this convention is not asked, and why
CONVENTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "right-derivative": (
            "LeftDerivative", "its derivative at a kink is the one from the right",
        ),
        "finite-inputs": ("NotFinite", "it is made for finite inputs"),
        "finite-logits": ("MinusInfinity", "it is made for finite logits"),
        "unsigned-zeros": ("SignedZero", "it does not tell -0 from 0"),
    }
)  # fmt: skip


class Question(NamedTuple):
    """What a subject is asked: an operation of the corpus on arrays, in an arithmetic.

    ``parameters`` and ``inputs`` are those of the operation; the arrays are the subject's own, in
    the dtype of the arithmetic (labels: int64). Those of bfloat16 are float32, and numbers that
    bfloat16 holds.
    """

    operation: str
    arithmetic: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Array]


class Session(Protocol):
    """A subject that can be asked, in this process or in another. `Subject` says what is what."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def operations(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def arithmetics(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def versions(self) -> Mapping[str, str]: ...  # noqa: D102

    def excuse(self, rejects: str, flags: tuple[str, ...]) -> str:
        """Why a case is not asked, or an empty string."""

    def ask(self, question: Question) -> Reply:
        """Ask, and wait; never raises but for Ctrl-C."""

    def close(self) -> None:
        """End it, when it has answered."""

    def abort(self) -> None:
        """End it at once, from any thread."""


class Kind(StrEnum):
    """What a reply is."""

    ANSWER = "answer"
    SKIP = "skip"
    REJECT = "reject"
    ERROR = "error"


@dataclass(frozen=True, eq=False)
class Reply:
    """What became of a question.

    ``ANSWER`` has ``tensors``; the others have a ``reason``. ``SKIP``: not implemented; ``REJECT``:
    the inputs were refused, which is right where they are wrong; ``ERROR``: nothing can be said of
    the subject's answer, because it crashed, took too long or broke the protocol.
    """

    kind: Kind
    reason: str = ""
    tensors: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """An implementation under test.

    ``name``        as the user typed it
    ``run``         answers a question with tensors by name. It raises `NotImplementedError` to skip
                    one; any other exception refuses the inputs.
    ``operations``  those of the corpus that it implements
    ``arithmetics`` the names of the arithmetics that it claims to compute in
    ``versions``    of the libraries behind it
    ``checks``      the kinds of wrong inputs (`REJECTS`) that it claims to refuse
    ``conventions`` names in `CONVENTIONS`

    Raises `InputError` if one of these names does not exist, or there is no operation or no
    arithmetic.
    """

    name: str
    run: Callable[[Question], Mapping[str, Any]]
    operations: tuple[str, ...]
    arithmetics: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, names, known, least in (
            ("operations", self.operations, OPERATIONS, 1),
            ("arithmetics", self.arithmetics, ARITHMETICS, 1),
            ("checks", self.checks, REJECTS, 0),
            ("conventions", self.conventions, CONVENTIONS, 0),
        ):
            listed = isinstance(names, list | tuple) and len(names) >= least
            if not listed or not all(isinstance(name, str) and name in known for name in names):
                fail(
                    f"the {what} of {self.name} must be among {', '.join(known)}",
                    describe(names), f'declare, for instance, {what} = ("{next(iter(known))}",)',
                )  # fmt: skip
            object.__setattr__(self, what, tuple(names))

    def ask(self, question: Question) -> Reply:
        """The reply of this process; see `mlp_ref.subjects.direct`."""
        from mlp_ref.subjects.direct import ask

        return ask(self, question)

    def close(self) -> None:
        """Nothing is held."""

    def abort(self) -> None:
        """It runs in the thread that asks."""

    def excuse(self, rejects: str, flags: tuple[str, ...]) -> str:
        """Why a case of these flags is not asked, or an empty string."""
        if rejects and rejects not in self.checks:
            return "inputs that are wrong in a way that the subject does not claim to check"
        for name in self.conventions:
            flag, why = CONVENTIONS[name]
            if flag in flags:
                return f"convention {name}: {why}"
        return ""
