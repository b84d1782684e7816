// A multi-layer perceptron in JavaScript, forward and backward, as a program that the gate judges:
//
//     mlp-ref verify 'cmd:node mlp.js'
//
// It computes in double, and stores tensors in the arithmetic that is asked for. --broken makes a
// classic mistake: gelu by its tanh approximation, which differs from it in the fourth digit.
// The protocol: ../PROTOCOL.md.
'use strict';
const { exp, expm1, log, log1p, tanh, abs, max, min, sqrt, PI } = Math;
const sum = (n, term) => {
  let total = 0;
  for (let k = 0; k < n; k++) total += term(k);
  return total;
};

// A matrix is an array of rows, and rows are samples; Row is Float64Array or Float32Array.
const matrix = (Row, n, c, entry) =>
  Array.from({ length: n }, (_, i) => Row.from({ length: c }, (_, j) => entry(i, j)));

// ------------------------------------------------------------- activations: value and derivative
// No exp overflows, and 1 - s is computed as s(-x): it would cancel in the tail.
const s = (x) => { const e = exp(-abs(x)); return (x > 0 ? 1 : e) / (1 + e); };
const softplus = (x) => max(x, 0) + log1p(exp(-abs(x)));

// The normal distribution, erfc(-x / sqrt 2) / 2. With y = |x| / sqrt 2, for small y
//     erf y = 2 y e^(-y^2) / sqrt pi (1 + 2y^2/3 (1 + 2y^2/5 (1 + ...))),     all terms positive,
// and for large y the continued fraction
//     erfc y = e^(-y^2) / sqrt pi / (y + 1/2 / (y + 2/2 / (y + 3/2 / (y + ...)))).
const cdf = (x) => {
  const y = abs(x) / sqrt(2), scale = exp(-y * y) / sqrt(PI);
  let t = y < 2 ? 1 : y;
  for (let k = 60; k > 0; k--) t = y < 2 ? 1 + 2 * y * y / (2 * k + 1) * t : y + k / 2 / t;
  const tail = y < 2 ? 0.5 - scale * y * t : scale / t / 2;
  return x > 0 ? 1 - tail : tail;
};
const p = (x) => 2 * sqrt(2 / PI) * (x + 0.044715 * x ** 3); // gelu_tanh is x s(p)
const xdp = (x) => 2 * sqrt(2 / PI) * (x + 0.134145 * x ** 3); // x p'
const clip = (x) => max(-30, min(x, 30)); // beyond, gelu_tanh is 0 or x

// Each turns a row z into a = f(z), and pulls d = dL/da back to dL/dz.
const elementwise = (value, slope) => ({
  value: (z) => z.map((x) => value(x)),
  pull: (z, a, d) => d.map((g, j) => g * slope(z[j])),
});
const logSum = (z) => {
  const top = max(...z); // of the row, not of the batch
  return top + log(sum(z.length, (j) => exp(z[j] - top)));
};
const functions = {
  identity: elementwise((x) => x, () => 1),
  sigmoid: elementwise(s, (x) => s(x) * s(-x)),
  tanh: elementwise(tanh, (x) => (1 - tanh(x)) * (1 + tanh(x))),
  relu: elementwise((x) => (x <= 0 ? 0 : x), (x) => (x <= 0 ? 0 : 1)),
  leaky_relu: elementwise((x) => (x <= 0 ? x / 100 : x), (x) => (x <= 0 ? 0.01 : 1)),
  elu: elementwise((x) => (x <= 0 ? expm1(x) : x), (x) => (x <= 0 ? exp(x) : 1)),
  softplus: elementwise(softplus, s),
  silu: elementwise((x) => x * s(x), (x) => s(x) * (1 + x * s(-x))),
  gelu: elementwise(
    (x) => x * cdf(x), (x) => cdf(x) + x * exp(-x * x / 2) / sqrt(2 * PI)),
  gelu_tanh: elementwise(
    (x) => x * s(p(x)), (x) => s(p(x)) + xdp(clip(x)) * s(p(x)) * s(-p(x))),
  softmax: {
    value: (z) => z.map((x) => exp(x - logSum(z))),
    pull: (z, a, d) => {
      const mean = sum(d.length, (j) => a[j] * d[j]);
      return d.map((g, j) => a[j] * (g - mean));
    },
  },
  log_softmax: {
    value: (z) => z.map((x) => x - logSum(z)),
    pull: (z, a, d) => {
      const total = sum(d.length, (j) => d[j]);
      return d.map((g, j) => g - exp(a[j]) * total);
    },
  },
};
if (process.argv.includes('--broken')) functions.gelu = functions.gelu_tanh;

// ------------------------ losses: a mean over `count` terms; the sum of a row, and its derivatives
const losses = {
  cross_entropy: {
    count: (n, c) => n,
    row: (z, t) => {
      const l = logSum(z), weight = sum(t.length, (k) => t[k]); // 1 but for rounding
      return {
        sum: sum(t.length, (k) => (t[k] > 0 ? t[k] * (l - z[k]) : 0)),
        slope: (k) => weight * exp(z[k] - l) - t[k],
      };
    },
  },
  binary_cross_entropy: {
    count: (n, c) => n * c,
    row: (z, t) => ({
      sum: sum(t.length, (k) => t[k] * softplus(-z[k]) + (1 - t[k]) * softplus(z[k])),
      slope: (k) => s(z[k]) - t[k],
    }),
  },
  squared_error: {
    count: (n, c) => n * c,
    row: (z, t) => ({
      sum: sum(t.length, (k) => (z[k] - t[k]) ** 2),
      slope: (k) => 2 * (z[k] - t[k]),
    }),
  },
};

// ----------------------------------------------------------------------------------- the network
// layers: [{ f, W, b }]; returns the tensors by name, g and d being dL/da
function network(Row, layers, x, target, loss) {
  const tensors = {}, inputs = [x], n = x.length;
  layers.forEach(({ f, W, b }, k) => {
    const a = inputs[k];
    const z = matrix(Row, n, b.length, (i, j) => b[j] + sum(W.length, (m) => a[i][m] * W[m][j]));
    tensors[`z${k}`] = z;
    tensors[`a${k}`] = inputs[k + 1] = z.map(functions[f].value);
  });
  const output = inputs[layers.length], c = output[0].length, count = losses[loss].count(n, c);
  const rows = output.map((a, i) => losses[loss].row(a, target[i]));
  tensors.loss = Row.of(sum(n, (i) => rows[i].sum) / count)[0];
  let d = tensors.g = matrix(Row, n, c, (i, j) => rows[i].slope(j) / count);
  for (let k = layers.length - 1; k >= 0; k--) {
    const { f, W, b } = layers[k], a = inputs[k];
    const dz = d.map((row, i) => functions[f].pull(tensors[`z${k}`][i], tensors[`a${k}`][i], row));
    const dW = (m, j) => sum(n, (i) => a[i][m] * dz[i][j]);
    tensors[`dW${k}`] = matrix(Row, W.length, b.length, dW);
    tensors[`db${k}`] = Row.from(b, (_, j) => sum(n, (i) => dz[i][j]));
    d = matrix(Row, n, W.length, (i, m) => sum(b.length, (j) => dz[i][j] * W[m][j]));
  }
  return { ...tensors, dx: d };
}

// ----------------------------------------------------------------------- the protocol: JSON lines
const dtypes = {
  float64: { Row: Float64Array, bytes: 8, get: 'readDoubleBE', set: 'writeDoubleBE' },
  float32: { Row: Float32Array, bytes: 4, get: 'readFloatBE', set: 'writeFloatBE' },
  int64: { Row: Array, bytes: 8, get: 'readBigInt64BE' },
};
class Refusal extends Error {}
const need = (fits) => { if (!fits) throw new Refusal('sizes or dtypes do not fit'); };

function read(tensor, dtype, rank) { // a matrix, a vector or a number
  need(tensor.dtype === dtype && tensor.shape.length === rank);
  const { Row, bytes, get } = dtypes[dtype], words = Buffer.from(tensor.words, 'hex');
  const numbers = Row.from({ length: words.length / bytes }, (_, k) => words[get](k * bytes));
  const [n, c] = tensor.shape;
  return rank === 1 ? numbers : matrix(Row, n, c, (i, j) => numbers[i * c + j]);
}
function write(tensor, dtype) {
  const shape = [];
  for (let x = tensor; x.length !== undefined; x = x[0]) shape.push(x.length);
  const { bytes, set } = dtypes[dtype], numbers = shape.length ? tensor : [tensor];
  const flat = shape.length === 2 ? tensor.flatMap((row) => [...row]) : [...numbers];
  const words = Buffer.alloc(flat.length * bytes);
  flat.forEach((x, k) => words[set](x, k * bytes));
  return { shape, dtype, words: words.toString('hex') };
}
function answer({ operation, arithmetic, parameters, inputs }) {
  if (operation !== 'mlp') return { skip: 'mlp alone is implemented' };
  const { Row } = dtypes[arithmetic], x = read(inputs.x, arithmetic, 2);
  need(x.length > 0);
  let width = x[0].length;
  const layers = parameters.activations.map((f, k) => {
    const W = read(inputs[`W${k}`], arithmetic, 2), b = read(inputs[`b${k}`], arithmetic, 1);
    need(W.length === width && W[0].length === b.length);
    width = b.length;
    return { f, W, b };
  });
  let target;
  if (parameters.loss === 'cross_entropy' && inputs.target.dtype === 'int64') {
    const labels = read(inputs.target, 'int64', 1); // y is the probability 1 of class y
    need(labels.length === x.length && labels.every((y) => y >= 0 && y < width));
    target = matrix(Row, x.length, width, (i, j) => Number(BigInt(j) === labels[i]));
  } else target = read(inputs.target, arithmetic, 2);
  need(target.length === x.length && target[0].length === width);
  const outputs = network(Row, layers, x, target, parameters.loss);
  const entries = Object.entries(outputs).map(([name, x]) => [name, write(x, arithmetic)]);
  return { outputs: Object.fromEntries(entries) };
}
const about = {
  protocol: 1, name: 'mlp.js', versions: { node: process.versions.node }, operations: ['mlp'],
  arithmetics: ['float64', 'float32'], checks: ['shape', 'broadcast', 'dtype', 'labels'],
};
function reply(question) {
  try {
    return { seq: question.seq, ...answer(question) };
  } catch (error) {
    if (error instanceof Refusal) return { seq: question.seq, reject: error.message };
    throw error;
  }
}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.cmd === 'start') console.log(JSON.stringify(about));
  if (message.cmd === 'run') console.log(JSON.stringify(reply(message)));
});
