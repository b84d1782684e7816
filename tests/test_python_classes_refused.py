"""Classes that cannot be adapted for certain: what the error says."""

from __future__ import annotations

from pathlib import Path

import pytest
from user_modules import folder, message, write
from user_networks import COLUMNS, FACTORY, LISTS, NUMBERED

from mlp_ref.subjects import load

__all__ = ["folder"]  # a fixture

ADAPTER = "write a function run(*, weights, biases, x, target, activations, loss) that calls it"


def refused(folder: Path, source: str, name: str, *changes: tuple[str, str]) -> str:
    """The message after a change of a network that is right."""
    for before, after in changes:
        assert before in source
        source = source.replace(before, after)
    write(folder, source)
    return message(f"py:homework:{name}")


@pytest.mark.parametrize(
    ("signature", "received"),
    [
        ("sizes, rate", "of which 'rate' is unknown"),
        ("sizes, layers", "of which 'layers' is one too many"),
        ("m, n", "of which 'm' is unknown"),
    ],
)
def test_a_constructor_of_other_parameters(folder: Path, signature: str, received: str) -> None:
    """The parameter that nothing is known of is named, with names that are known."""
    text = refused(folder, LISTS, "MLP", ("self, sizes, activations, loss", f"self, {signature}"))
    assert text.startswith("the constructor of py:homework:MLP must take parameters with known ")
    assert received in text
    assert ADAPTER in text


def test_a_constructor_without_sizes(folder: Path) -> None:
    """A network of one size cannot be asked."""
    text = refused(folder, LISTS, "MLP", ("self, sizes, activations, loss", "self, loss"))
    assert text.startswith("the constructor of py:homework:MLP must take the sizes of the layers, ")
    assert "; got (loss); " in text


@pytest.mark.parametrize(
    ("change", "start", "received"),
    [
        (
            ('hidden_activations = "tanh"', ""),
            "the hidden_activations of {} must be declared",
            "no",
        ),
        (('"cross_entropy"', '"hinge"'), "the losses of {} must be among", "str 'hinge'"),
        (('"cross_entropy"', "()"), "the losses of {} must be among", "tuple ()"),
        (('"cross_entropy"', "None"), "the losses of {} must be declared", "tuple ('cross_ent"),
        (
            ('"probabilities"', '"rows"'),
            "targets of {} must be one of labels, one_hot",
            "str 'rows'",
        ),
        (("= True", "= 1"), "probabilities of {} must be True or False", "int 1"),
        (('= "tanh"', '= ("tanh", "relu")'), "the hidden_activations of {} must be decl", "tuple"),
    ],
)
def test_declarations(folder: Path, change: tuple[str, str], start: str, received: str) -> None:
    """What the constructor is not told must be declared, and be one name that exists."""
    text = refused(folder, COLUMNS, "Net", change)
    assert text.startswith(start.format("py:homework:Net"))
    assert f"; got {received}" in text


def test_parameters_that_are_not_found(folder: Path) -> None:
    """The attributes that were found are listed."""
    text = refused(folder, LISTS, "MLP", ("self.biases", "self.shifts"))
    assert text.startswith(
        "an object of py:homework:MLP must keep the weights and biases of layers"
    )
    assert "got MLP with backward, forward, functions, hidden_activations, loss, " in text
    assert "shifts, weights; rename them, or add a property of such a name, or write a" in text


def test_a_property_names_the_parameters(folder: Path) -> None:
    """As the remedy says, where a list has a name that nothing is known of."""
    named = "biases = property(lambda self: self.shifts)\n\n        def forward"
    source = LISTS.replace("self.biases", "self.shifts").replace("def forward", named)
    write(folder, source)
    assert "weights[k] and biases[k]" in load("py:homework:MLP").versions["adapted"]


def test_parameters_in_two_places(folder: Path) -> None:
    """Which of them counts would be a guess; two names of the same list are one place."""
    copies = "self.W, self.b = list(self.weights), list(self.biases)\n            self.functions ="
    text = refused(folder, LISTS, "MLP", ("self.functions =", copies))
    assert "; got 2 such places: weights[k] and biases[k]; W[k] and b[k]; " in text
    names = "self.W, self.b = self.weights, self.biases\n            self.functions ="
    write(folder, LISTS.replace("self.functions =", names), "same")
    assert "weights[k] and biases[k]" in load("py:same:MLP").versions["adapted"]


def test_parameters_that_are_not_used(folder: Path) -> None:
    """Lists that forward does not read are a decoy."""
    hidden = "self.pairs = list(zip(self.weights, self.biases))\n            self.functions ="
    text = refused(
        folder, LISTS, "MLP", ("self.functions =", hidden),
        ("in zip(self.weights, self.biases, self.functions)",
         "in ((*p, f) for p, f in zip(self.pairs, self.functions))"),
    )  # fmt: skip
    assert text.startswith(
        "forward of py:homework:MLP must use the arrays that are put into weights[k] and biases[k]"
    )


@pytest.mark.parametrize("zeros", range(12))
def test_dead_units_do_not_hide_that_parameters_are_not_used(zeros: int, folder: Path) -> None:
    """A random network whose first outputs agree, as all are 0, is no steady one."""
    lists = LISTS.replace("class MLP:", "DRAWN = iter(range(99))\n\n    class MLP:")
    hidden = "self.pairs = list(zip(self.weights, self.biases))\n            self.functions ="
    text = refused(
        folder, lists, "MLP",
        ("np.random.randn(m, n)", f"np.random.randn(m, n) * (next(DRAWN) >= {2 * zeros})"),
        ("self.functions =", hidden),
        ("in zip(self.weights, self.biases, self.functions)",
         "in ((*p, f) for p, f in zip(self.pairs, self.functions))"),
    )  # fmt: skip
    assert "must use the arrays that are put into weights[k] and biases[k], and nothing ran" in text


def test_outputs_that_are_probabilities(folder: Path) -> None:
    """Softmax where the last z is asked for shows before the first case, with the remedy."""
    change = ("probabilities = True", 'output_activations = "identity"')
    text = refused(folder, COLUMNS, "Net", change)
    assert "numbers between 0 and 1 only, as of softmax or sigmoid; write probabilities = T" in text


def test_labels_and_rows_that_both_run(folder: Path) -> None:
    """Labels are broadcast against columns in silence: which are meant must be declared."""
    text = refused(folder, COLUMNS, "Net", ('targets = "probabilities"', ""))
    assert text.startswith("targets of py:homework:Net must be declared, as backward runs with ")
    assert text.endswith(
        'write targets = "one_hot" in the class, or "labels", "probabilities", "both"'
    )


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (("return x\n", "return x.T\n"), "an output of shape (4, 5)"),
        (("return x\n", "return x[0]\n"), "an output of shape (4,)"),
        (("return x\n", "return None\n"), "an output of shape ()"),
    ],
)
def test_outputs_of_another_shape(folder: Path, change: tuple[str, str], received: str) -> None:
    """One row per sample, or one column."""
    text = refused(folder, FACTORY, "make", change)
    assert text.startswith("forward of py:homework:make must return an array (5, 4) for x (5, 2)")
    assert f"; got {received}" in text


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (("self, x, labels, output)", "self, x)"), "(x); or"),
        (("self, x, labels, output)", "self, labels, lr)"), "of which 'lr' is unknown"),
        (("self, x, labels, output)", "self, labels, y)"), "of which 'y' is one too many"),
    ],
)
def test_what_backward_takes(folder: Path, change: tuple[str, str], received: str) -> None:
    """The target, or the gradient of the loss; nothing that has no known name."""
    text = refused(folder, NUMBERED, "TwoLayers", change)
    assert text.startswith("backward of py:homework:TwoLayers must take ")
    assert received in text


@pytest.mark.parametrize(
    "change",
    [
        ("self.dW, self.db = [], []", "self.weights_, self.db = [], []"),
        ("self.dW.insert(0, self.a[k].T @ delta)", "self.dW.insert(0, delta.T @ self.a[k])"),
        ("self.dW.insert(0, self.a[k].T @ delta)", "self.dW.append(self.a[k].T @ delta)"),
    ],
)
def test_gradients_that_are_not_found(folder: Path, change: tuple[str, str]) -> None:
    """Under no known name, transposed, or in the wrong order."""
    text = refused(folder, LISTS, "MLP", change, *_renamed(change))
    assert text.startswith("backward of py:homework:MLP must return the gradients, or leave them ")
    assert ADAPTER in text


def _renamed(change: tuple[str, str]) -> list[tuple[str, str]]:
    return [("self.dW.insert", "self.weights_.insert")] if "weights_" in change[1] else []


def test_gradients_in_two_places_that_differ(folder: Path) -> None:
    """Which of them counts would be a guess."""
    change = ("return delta\n", "return {'dW': self.dW, 'db': [b * 2 for b in self.db]}\n")
    text = refused(folder, LISTS, "MLP", change)
    assert "; got several that differ: dW[k] and db[k]; dW[k] and db[k]; " in text


def test_gradients_that_backward_leaves_alone(folder: Path) -> None:
    """Zeros from the constructor are no gradients."""
    zeros = "self.dW = [0 * W for W in self.weights]\n            self.functions ="
    text = refused(
        folder, LISTS, "MLP",
        ("self.functions =", "self.db = [0 * b for b in self.biases]\n            " + zeros),
        ("self.dW, self.db = [], []", "self.gW, self.gb = [], []"),
        ("self.dW.insert", "self.gW.insert"), ("self.db.insert", "self.gb.insert"),
    )  # fmt: skip
    assert text.startswith("backward of py:homework:MLP must return the gradients, or leave them ")


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (("delta.sum(axis=0)", "delta.sum(axes=0)"), "TypeError in backward: "),
        (("self.a = [x]", "self.a = [y]"), "NameError in forward: name 'y' is not defined"),
        (("self.functions = ", "functions = "), "AttributeError in forward: "),
        (("zip(sizes, sizes[1:])", "zip(sizes)"), "ValueError in the constructor: not enough "),
    ],
)
def test_a_network_that_raises(folder: Path, change: tuple[str, str], received: str) -> None:
    """What it raised is shown: of all attempts, one that came furthest."""
    text = refused(folder, LISTS, "MLP", change)
    assert text.startswith(
        "py:homework:MLP must make a network of layers 2, 3, 4 and run forward and backward on 5 "
        f"samples; got {received}"
    )
    assert (
        "; correct that, or declare, in the class, the hidden_activations and losses that " in text
    )
    assert "probabilities = True if forward returns softmax" in text


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_class_without_the_methods(folder: Path, method: str) -> None:
    """What it has is listed."""
    text = refused(folder, LISTS, "MLP", (f"def {method}", "def other"))
    start = "py:homework:MLP must make objects with the methods forward and backward; got MLP with "
    assert text.startswith(start)


def test_a_factory_of_something_else(folder: Path) -> None:
    """It is asked for one object first."""
    text = refused(folder, FACTORY, "make", ("return Sequential(layers[:-1])", "return layers"))
    assert "must make objects with the methods forward and backward; got list with append," in text


# What a class declares, line by line, and what the next message tells to write.
SOFTMAX = 'output_activations = "identity", and probabilities = True if forward returns softmax or '


@pytest.mark.parametrize(
    ("lines", "remedy"),
    [
        ((), 'hidden_activations = "relu", or what its hidden layers have, or write'),
        (('hidden_activations = "tanh"',), SOFTMAX),
        (('hidden_activations = "tanh"', 'output_activations = "softmax"',
          'losses = "cross_entropy"'), SOFTMAX),
        (('hidden_activations = "tanh"', 'output_activations = "softmax"',
          'losses = "cross_entropy", "binary_cross_entropy"'), SOFTMAX),
        (('hidden_activations = "tanh"', 'output_activations = "identity"'),
         "probabilities = True in the class if its loss is the cross-entropy of these"),
        (('hidden_activations = "tanh"', "probabilities = True"),
         'losses = "cross_entropy", or what its gradients are of'),
        (('hidden_activations = "tanh"', "probabilities = 1"), SOFTMAX),
    ],
)  # fmt: skip
def test_the_remedies_lead_to_the_right_declarations(
    folder: Path, lines: tuple[str, ...], remedy: str
) -> None:
    """Softmax and then cross-entropy, as most courses have it, from no line to all four."""
    source = COLUMNS
    for line in ('hidden_activations = "tanh"', 'losses = "cross_entropy"', "probabilities = True"):
        source = source.replace(f"        {line}\n", "")
    declared = "".join(f"        {line}\n" for line in lines)
    text = refused(folder, source, "Net", ("class Net:\n", f"class Net:\n{declared}"))
    assert f"; write, in the class, {remedy}" in text or f"; write {remedy}" in text
    assert len(text) <= 500


def test_gradients_that_go_into_an_update_at_once(folder: Path) -> None:
    """Where they must be kept is said."""
    change = ("self.dW.insert(0, self.a[k].T @ delta)", "self.weights[k] -= self.a[k].T @ delta")
    text = refused(folder, LISTS, "MLP", change)
    assert "; keep each under such a name, before the parameters are updated, or write" in text
