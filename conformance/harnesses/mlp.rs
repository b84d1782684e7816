//! A multi-layer perceptron in Rust, forward and backward, as a program that the gate judges:
//!
//!     rustc -O mlp.rs && mlp-ref verify cmd:./mlp
//!
//! It computes in f64, and rounds tensors to the arithmetic that is asked for. Compiled with
//! BROKEN=1 in the environment it makes a classic mistake: the backward pass reads the weights as
//! if they were stored transposed. The protocol: ../PROTOCOL.md.
use std::f64::consts::{FRAC_1_SQRT_2, PI};
const BROKEN: bool = option_env!("BROKEN").is_some();
const ABOUT: &str = r#"{"protocol":1,"operations":["mlp"],"arithmetics":["float64","float32"],"#;
const CHECKS: &str = r#""checks":["shape","broadcast","dtype","labels"]}"#;

// -------------------------------------------------------------------- matrices: rows are samples
struct Matrix { rows: usize, cols: usize, at: Vec<f64> }
type Round = fn(f64) -> f64; // to the arithmetic of the question
impl Matrix {
    fn of(round: Round, rows: usize, cols: usize, entry: impl Fn(usize, usize) -> f64) -> Matrix {
        let at = (0..rows * cols).map(|k| round(entry(k / cols, k % cols))).collect();
        Matrix { rows, cols, at }
    }
    fn get(&self, i: usize, j: usize) -> f64 { self.at[i * self.cols + j] }
    fn row(&self, i: usize) -> &[f64] { &self.at[i * self.cols..(i + 1) * self.cols] }
}
fn sum(n: usize, term: impl Fn(usize) -> f64) -> f64 { (0..n).map(term).sum() }

// ------------------------------------------------------------ activations: value and derivative
// No exp overflows, and 1 - s is computed as s(-x): it would cancel in the tail.
fn s(x: f64) -> f64 { let e = (-x.abs()).exp(); (if x > 0.0 { 1.0 } else { e }) / (1.0 + e) }
fn softplus(x: f64) -> f64 { x.max(0.0) + (-x.abs()).exp().ln_1p() }

/// The normal distribution, erfc(-x / sqrt 2) / 2. With y = |x| / sqrt 2, for small y
///     erf y = 2 y e^(-y^2) / sqrt pi (1 + 2y^2/3 (1 + 2y^2/5 (1 + ...))),     all terms positive,
/// and for large y the continued fraction
///     erfc y = e^(-y^2) / sqrt pi / (y + 1/2 / (y + 2/2 / (y + 3/2 / (y + ...)))).
fn cdf(x: f64) -> f64 {
    let y = x.abs() * FRAC_1_SQRT_2;
    let (small, scale) = (y < 2.0, (-y * y).exp() / PI.sqrt());
    let t = (1..=60).rev().map(f64::from).fold(if small { 1.0 } else { y }, |t, k| {
        if small { 1.0 + 2.0 * y * y / (2.0 * k + 1.0) * t } else { y + k / 2.0 / t }
    });
    let tail = if small { 0.5 - scale * y * t } else { scale / t / 2.0 };
    if x > 0.0 { 1.0 - tail } else { tail }
}
/// gelu_tanh is x s(p), p = cubic(x, 0.044715); x p' is cubic(x, 3 * 0.044715).
fn cubic(x: f64, c: f64) -> f64 { (8.0 / PI).sqrt() * (x + c * x * x * x) }

/// The value and the derivative of an elementwise function at x.
fn function(name: &str, x: f64) -> (f64, f64) {
    let below = x <= 0.0;
    match name {
        "identity" => (x, 1.0),
        "sigmoid" => (s(x), s(x) * s(-x)),
        "tanh" => (x.tanh(), (1.0 - x.tanh()) * (1.0 + x.tanh())),
        "relu" => if below { (0.0, 0.0) } else { (x, 1.0) },
        "leaky_relu" => if below { (x / 100.0, 0.01) } else { (x, 1.0) },
        "elu" => if below { (x.exp_m1(), x.exp()) } else { (x, 1.0) },
        "softplus" => (softplus(x), s(x)),
        "silu" => (x * s(x), s(x) * (1.0 + x * s(-x))),
        "gelu" => (x * cdf(x), cdf(x) + x * (-x * x / 2.0).exp() / (2.0 * PI).sqrt()),
        "gelu_tanh" => {
            let (p, xdp) = (cubic(x, 0.044715), cubic(x.clamp(-30.0, 30.0), 0.134145));
            (x * s(p), s(p) + xdp * s(p) * s(-p))
        }
        _ => unreachable!("{}", name),
    }
}
/// log of the sum of the exponentials of a row.
fn log_sum(z: &[f64]) -> f64 {
    let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max); // of the row, not of the batch
    top + sum(z.len(), |j| (z[j] - top).exp()).ln()
}
fn value(f: &str, z: &[f64], j: usize) -> f64 {
    match f {
        "softmax" => (z[j] - log_sum(z)).exp(),
        "log_softmax" => z[j] - log_sum(z),
        _ => function(f, z[j]).0,
    }
}
/// dL/dz of d = dL/da, where a = f(z), entry j of a row.
fn pull(f: &str, z: &[f64], a: &[f64], d: &[f64], j: usize) -> f64 {
    match f {
        "softmax" => a[j] * (d[j] - sum(d.len(), |k| a[k] * d[k])),
        "log_softmax" => d[j] - a[j].exp() * d.iter().sum::<f64>(),
        _ => d[j] * function(f, z[j]).1,
    }
}

// --------------------- losses: the sum of a row of outputs a and targets t, and its derivative g_j
fn loss_of(name: &str, a: &[f64], t: &[f64]) -> f64 {
    sum(a.len(), |j| match name {
        "cross_entropy" if t[j] > 0.0 => t[j] * (log_sum(a) - a[j]),
        "cross_entropy" => 0.0,
        "binary_cross_entropy" => t[j] * softplus(-a[j]) + (1.0 - t[j]) * softplus(a[j]),
        _ => (a[j] - t[j]) * (a[j] - t[j]),
    })
}
fn slope_of(name: &str, a: &[f64], t: &[f64], j: usize) -> f64 {
    match name {
        "cross_entropy" => (a[j] - log_sum(a)).exp() * t.iter().sum::<f64>() - t[j],
        "binary_cross_entropy" => s(a[j]) - t[j],
        _ => 2.0 * (a[j] - t[j]),
    }
}

// ----------------------------------------------------------------------- the protocol: JSON lines
struct Refused;
fn need(fits: bool) -> Result<(), Refused> { if fits { Ok(()) } else { Err(Refused) } }

/// The tokens after a key. No text of the gate has a blank or an escape in it.
fn after<'a, 'b>(tokens: &'b [&'a str], key: &str) -> &'b [&'a str] {
    let found = tokens.iter().position(|t| *t == key);
    &tokens[found.map_or(tokens.len(), |k| k + 1)..]
}
/// A tensor: name shape 2 3 dtype float64 words ... A vector is one row.
fn read(tokens: &[&str], name: &str, dtype: &str, rank: usize) -> Result<Matrix, Refused> {
    let tensor = after(tokens, name);
    let rest = after(tensor, "dtype");
    need(tensor.len() - rest.len() == rank + 2 && rest[0] == dtype)?;
    let size = |k: usize| tensor[k].parse().unwrap_or(0);
    let (rows, cols) = if rank == 2 { (size(1), size(2)) } else { (1, size(1)) };
    let digits = if dtype == "float32" { 8 } else { 16 };
    let word = |k| u64::from_str_radix(&rest[2][digits * k..][..digits], 16).unwrap_or(0);
    let number = |k| match dtype {
        "float32" => f32::from_bits(word(k) as u32) as f64,
        "float64" => f64::from_bits(word(k)),
        _ => word(k) as i64 as f64,
    };
    Ok(Matrix { rows, cols, at: (0..rows * cols).map(number).collect() })
}
fn write(name: &str, x: &[f64], shape: &[usize], dtype: &str) -> String {
    let word = |x: &f64| match dtype {
        "float32" => format!("{:08x}", (*x as f32).to_bits()),
        _ => format!("{:016x}", x.to_bits()),
    };
    let words: String = x.iter().map(word).collect();
    format!(r#""{name}":{{"shape":{shape:?},"dtype":"{dtype}","words":"{words}"}}"#)
}
fn answer(tokens: &[&str]) -> Result<String, Refused> {
    let dtype = after(tokens, "arithmetic")[0];
    let round: Round = if dtype == "float32" { |x| x as f32 as f64 } else { |x| x };
    let (names, loss) = (after(tokens, "activations"), after(tokens, "loss"));
    let (depth, loss, inputs) = (names.len() - loss.len() - 1, loss[0], after(tokens, "inputs"));
    let mut a = vec![read(inputs, "x", dtype, 2)?]; // a[k] is the input of layer k
    let (n, mut w, mut z, mut out) = (a[0].rows, vec![], vec![], vec![]);
    for k in 0..depth {
        w.push(read(inputs, &format!("W{k}"), dtype, 2)?);
        let b = read(inputs, &format!("b{k}"), dtype, 1)?;
        need(n > 0 && w[k].rows == a[k].cols && w[k].cols == b.cols)?;
        let affine = |i, j| b.at[j] + sum(w[k].rows, |m| a[k].get(i, m) * w[k].get(m, j));
        z.push(Matrix::of(round, n, b.cols, affine));
        a.push(Matrix::of(round, n, b.cols, |i, j| value(names[k], z[k].row(i), j)));
        out.push(write(&format!("z{k}"), &z[k].at, &[n, b.cols], dtype));
        out.push(write(&format!("a{k}"), &a[k + 1].at, &[n, b.cols], dtype));
    }
    let (last, c, target) = (&a[depth], a[depth].cols, after(inputs, "target"));
    let t = if loss == "cross_entropy" && after(target, "dtype")[0] == "int64" {
        let y = read(inputs, "target", "int64", 1)?; // y is the probability 1 of class y
        need(y.cols == n && y.at.iter().all(|y| (0.0..c as f64).contains(y)))?;
        Matrix::of(round, n, c, |i, j| if y.at[i] == j as f64 { 1.0 } else { 0.0 })
    } else {
        read(inputs, "target", dtype, 2)?
    };
    need(t.rows == n && t.cols == c)?;
    let count = if loss == "cross_entropy" { n } else { n * c } as f64;
    let mean = round(sum(n, |i| loss_of(loss, last.row(i), t.row(i))) / count);
    let slope = |i, j| slope_of(loss, last.row(i), t.row(i), j) / count;
    let mut d = Matrix::of(round, n, c, slope);
    out.push(write("loss", &[mean], &[], dtype));
    out.push(write("g", &d.at, &[n, c], dtype));
    for k in (0..depth).rev() {
        let (rows, cols) = (w[k].rows, w[k].cols);
        let back = |i, j| pull(names[k], z[k].row(i), a[k + 1].row(i), d.row(i), j);
        let dz = Matrix::of(round, n, cols, back);
        let dw = Matrix::of(round, rows, cols, |m, j| sum(n, |i| a[k].get(i, m) * dz.get(i, j)));
        let db = Matrix::of(round, 1, cols, |_, j| sum(n, |i| dz.get(i, j)));
        let weight = |m, j| if BROKEN { w[k].at[j * rows + m] } else { w[k].get(m, j) };
        d = Matrix::of(round, n, rows, |i, m| sum(cols, |j| dz.get(i, j) * weight(m, j)));
        out.push(write(&format!("dW{k}"), &dw.at, &[rows, cols], dtype));
        out.push(write(&format!("db{k}"), &db.at, &[cols], dtype));
    }
    out.push(write("dx", &d.at, &[n, d.cols], dtype));
    Ok(format!(r#""outputs":{{{}}}"#, out.join(",")))
}
fn main() {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let parts = line.split(|c| "{}[]:,\" \r".contains(c)).filter(|part| !part.is_empty());
        let tokens: Vec<&str> = parts.collect();
        if after(&tokens, "cmd").first() == Some(&"start") {
            println!("{ABOUT}{CHECKS}");
        } else if after(&tokens, "cmd").first() == Some(&"run") {
            let reply = match after(&tokens, "operation")[0] {
                "mlp" => answer(&tokens),
                _ => Ok(r#""skip":"mlp alone is implemented""#.into()),
            };
            let reply = reply.unwrap_or(r#""reject":"sizes or dtypes do not fit""#.into());
            println!(r#"{{"seq":"{}",{reply}}}"#, after(&tokens, "seq")[0]);
        }
    }
}
