"""What a mutant is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_ref.subjects import Question, Subject
from mlp_ref.subjects.networks import network_subject

__all__ = ["TURNED", "Mutant", "network", "place", "questions"]

# a weight that is read the wrong way round; "the product with W1 transposed" alone is a place
TURNED = r"holds the product with W\d transposed|\bW\d? (is|was|are) (read )?transposed"
DTYPES = ("float32", "float64")
# what a sentence says that names a cause, or asks for more; one that says where to look does not
CAUSES = (
    "To see where", "is transposed", "transposed:", "holds", "summed", "divided",
    "times the reference", "permut", "reversed", "exchanged", "shifted", "precision", "memory",
    "sign is", "single", "overflows",
)  # fmt: skip


def place(pattern: str) -> str:
    """The regular expression of a sentence that names the place, and no cause."""
    return rf"(?s)\A(?!.*(?:{'|'.join(CAUSES)})).*(?:{pattern})"


@dataclass(frozen=True)
class Mutant:
    """One implementation with one mistake, or two.

    ``id``     style/mistake; the names are not those of the catalogue
    ``what``   what is wrong, in one sentence
    ``build``  the subject with the mistake of that id; with an empty id, without
    ``right``  ids of the catalogue that are a right diagnosis; none if it lacks the mistake
    ``words``  regular expressions, one of which a right sentence matches that names no fault
    ``second`` of two mistakes, the ids of the other one; ``words`` are about either
    ``torch``  whether it needs PyTorch
    """

    id: str
    what: str
    build: Callable[[str], Subject]
    right: tuple[str, ...]
    words: tuple[str, ...]
    second: tuple[str, ...] = ()
    torch: bool = False

    def subject(self, broken: bool = True) -> Subject:
        """The subject; with ``broken=False`` the same code without its mistake."""
        return self.build(self.id if broken else "")


def network(run: Callable[..., Mapping[str, Any]], wrong: str, **declared: Any) -> Subject:
    """A subject of the operation mlp: run(wrong, weights=..., biases=..., x=..., ...)."""

    def quiet(**question: Any) -> Mapping[str, Any]:
        with np.errstate(all="ignore"):
            return run(wrong, **question)

    return network_subject(f"mutant:{wrong or 'none'}", quiet, DTYPES, **declared)


def questions(
    run: Callable[[str, Question], Mapping[str, Any]],
    wrong: str,
    operations: tuple[str, ...],
    **declared: Any,
) -> Subject:
    """A subject of several operations: run(wrong, question)."""

    def quiet(question: Question) -> Mapping[str, Any]:
        with np.errstate(all="ignore"):
            return run(wrong, question)

    return Subject(f"mutant:{wrong or 'none'}", quiet, operations, DTYPES, **declared)
