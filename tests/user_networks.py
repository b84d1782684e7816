"""Networks with forward and backward as users write them, all of them right."""

from __future__ import annotations

__all__ = ["CLASSES", "COLUMNS", "FACTORY", "LISTS", "NUMBERED"]

LISTS = """
    import numpy as np

    VALUES = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "identity": lambda z: z}
    SLOPES = {"relu": lambda a: a > 0, "tanh": lambda a: 1 - a * a, "identity": lambda a: a == a}

    class MLP:
        hidden_activations = output_activations = tuple(VALUES)

        def __init__(self, sizes, activations, loss):
            if loss != "squared_error":
                raise NotImplementedError("squared_error only")
            pairs = list(zip(sizes, sizes[1:]))
            self.weights = [np.random.randn(m, n) for m, n in pairs]
            self.biases = [np.zeros(n) for _, n in pairs]
            self.functions = activations

        def forward(self, x):
            self.a = [x]
            for W, b, f in zip(self.weights, self.biases, self.functions):
                self.a.append(VALUES[f](self.a[-1] @ W + b))
            return self.a[-1]

        def loss(self, y_pred, y):
            return np.mean((y_pred - y) ** 2)

        def backward(self, target):
            self.dW, self.db = [], []
            delta = 2 * (self.a[-1] - target) / target.dtype.type(target.size)
            for k in reversed(range(len(self.weights))):
                delta = delta * SLOPES[self.functions[k]](self.a[k + 1])
                self.dW.insert(0, self.a[k].T @ delta)
                self.db.insert(0, delta.sum(axis=0))
                delta = delta @ self.weights[k].T
            return delta
    """
COLUMNS = """
    import numpy as np

    class Net:
        hidden_activations = "tanh"
        losses = "cross_entropy"
        probabilities = True
        targets = "probabilities"

        def __init__(self, n_in, n_hidden, n_out):
            self.params = {
                "W1": np.random.randn(n_hidden, n_in), "b1": np.zeros((n_hidden, 1)),
                "W2": np.random.randn(n_out, n_hidden), "b2": np.zeros((n_out, 1)),
            }

        def forward(self, X):
            p = self.params
            self.A1 = np.tanh(p["W1"] @ X + p["b1"])
            Z = p["W2"] @ self.A1 + p["b2"]
            self.logp = Z - Z.max(axis=0)
            self.logp -= np.log(np.exp(self.logp).sum(axis=0))
            self.A2 = np.exp(self.logp)
            return self.A2

        def compute_loss(self, Y):
            return -np.mean(np.sum(Y * self.logp, axis=0))

        def backward(self, X, Y):
            p, m = self.params, X.dtype.type(X.shape[1])
            d2 = (self.A2 - Y) / m
            d1 = p["W2"].T @ d2 * (1 - self.A1**2)
            return {
                "dW1": d1 @ X.T, "db1": d1.sum(axis=1, keepdims=True),
                "dW2": d2 @ self.A1.T, "db2": d2.sum(axis=1, keepdims=True),
            }
    """
FACTORY = """
    import numpy as np

    class Linear:
        def __init__(self, m, n):
            self.W, self.b = np.random.randn(n, m), np.zeros((1, n))

        def forward(self, x):
            self.x = x
            return x @ self.W.T + self.b

        def backward(self, g):
            self.dW, self.db = g.T @ self.x, g.sum(axis=0, keepdims=True)
            return g @ self.W

    class Tanh:
        def forward(self, x):
            self.y = np.tanh(x)
            return self.y

        def backward(self, g):
            return g * (1 - self.y**2)

    class Sequential:
        def __init__(self, layers):
            self.layers = layers

        def forward(self, x):
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def backward(self, grad_output):
            for layer in reversed(self.layers):
                grad_output = layer.backward(grad_output)
            return grad_output

    def make(layer_sizes):
        layers = []
        for m, n in zip(layer_sizes, layer_sizes[1:]):
            layers += [Linear(m, n), Tanh()]
        return Sequential(layers[:-1])

    make.hidden_activations, make.output_activations = ["tanh"], ["identity"]
    """
NUMBERED = """
    import numpy as np

    class TwoLayers:
        hidden_activations = "relu"
        output_activations = "identity"
        losses = "cross_entropy"

        def __init__(self, input_size, hidden_size, output_size, seed=0):
            self.W1, self.b1 = np.ones((input_size, hidden_size)), np.zeros((1, hidden_size))
            self.W2, self.b2 = np.ones((hidden_size, output_size)), np.zeros((1, output_size))

        def forward(self, x):
            self.h = np.maximum(x @ self.W1 + self.b1, 0)
            return self.h @ self.W2 + self.b2

        def backward(self, x, labels, output):
            rows, n = np.arange(len(x)), x.dtype.type(len(x))
            z = output - output.max(axis=1, keepdims=True)
            logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
            d = np.exp(logp)
            d[rows, labels] -= 1
            d /= n
            h = d @ self.W2.T * (self.h > 0)
            first = {"W1": x.T @ h, "b1": h.sum(axis=0)}
            return -np.mean(logp[rows, labels]), {**first, "W2": self.h.T @ d, "b2": d.sum(axis=0)}
    """
_ADAPTED = {
    "lists": """
        MLP(sizes, activations, loss); weights[k] and biases[k]; W (inputs, outputs), b (n,),
        samples are rows; backward(target) leaves dW[k] and db[k]; loss: loss""",
    "columns": """
        Net(n_in, n_hidden, n_out); params.W1 and params.b1; W (outputs, inputs), b (n, 1),
        samples are columns; backward(X, Y) returns dW1 and db1; cross_entropy takes probabilities;
        loss: compute_loss""",
    "layers": """
        make(layer_sizes); layers[k].W and layers[k].b; W (outputs, inputs), b (1, n),
        samples are rows; backward(grad_output) leaves layers[k].dW and layers[k].db;
        loss: not compared""",
    "numbered": """
        TwoLayers(input_size, hidden_size, output_size); W1 and b1; W (inputs, outputs), b (1, n),
        samples are rows; backward(x, labels, output) returns W1 and b1;
        cross_entropy takes labels; loss: returned""",
}
# source, object, how it is adapted, the tensors that are compared, and in how many cases at least
CLASSES = {
    kind: (source, name, " ".join(_ADAPTED[kind].split()), compared, least)
    for kind, source, name, compared, least in (
        ("lists", LISTS, "MLP", {"a", "loss", "dW", "db", "dx"}, 50),
        ("columns", COLUMNS, "Net", {"loss", "dW", "db"}, 4),
        ("layers", FACTORY, "make", {"a", "dW", "db", "dx"}, 40),
        ("numbered", NUMBERED, "TwoLayers", {"a", "loss", "dW", "db"}, 2),
    )
}
