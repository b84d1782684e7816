// A multi-layer perceptron in C++17, forward and backward, as a program that the gate judges:
//
//     c++ -std=c++17 -O2 -o mlp mlp.cpp && mlp-ref verify cmd:./mlp
//
// It computes in double or in float, as it is asked to. -DBROKEN=1 makes a classic mistake: softmax
// subtracts the maximum of the batch instead of that of the row. The protocol: ../PROTOCOL.md.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <vector>
#ifndef BROKEN
#define BROKEN 0
#endif
using Text = std::string;

// -------------------------------------------------------------------- matrices: rows are samples
template <class R> struct Matrix {
    long rows, cols, down, right; // the steps from an entry to the next in its column and its row
    std::vector<R> at;
    Matrix(long n, long c, R x = 0) : rows(n), cols(c), down(c), right(1), at(n * c, x) {}
    R &operator()(long i, long j) { return at[i * down + j * right]; }
    R operator()(long i, long j) const { return at[i * down + j * right]; }
};
template <class R> Matrix<R> transposed(Matrix<R> x) {
    return std::swap(x.rows, x.cols), std::swap(x.down, x.right), x;
}
template <class R> Matrix<R> product(const Matrix<R> &x, const Matrix<R> &y) {
    Matrix<R> z(x.rows, y.cols);
    for (long i = 0; i < z.rows; i++)
        for (long k = 0; k < x.cols; k++)
            for (long j = 0; j < z.cols; j++) z(i, j) += x(i, k) * y(k, j);
    return z;
}

// ------------------------------------------------------------ activations: value and derivative
// No exp overflows, and 1 - s is computed as s(-x): it would cancel in the tail.
template <class R> R s(R x) { R e = std::exp(-std::abs(x)); return (x > 0 ? 1 : e) / (1 + e); }
template <class R> R softplus(R x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::abs(x))); }
template <class R> R cdf(R x) { return std::erfc(-x * R(0.70710678118654752440)) / 2; }
// gelu_tanh is x s(p), p = 2 sqrt(2 / pi) (x + 0.044715 x^3); beyond |x| = 30 it is 0 or x.
template <class R> R cubic(R x, R c) { return R(1.59576912160573071176) * (x + c * x * x * x); }
template <class R> R p(R x) { return cubic(x, R(0.044715)); }
template <class R> R xdp(R x) { return cubic(std::clamp(x, R(-30), R(30)), R(0.134145)); } // x p'
template <class R> struct Function { R (*value)(R), (*slope)(R); };
#define F(f) [](R x) -> R { (void)x; return f; }
template <class R> const std::map<Text, Function<R>> functions = {
    {"identity", {F(x), F(1)}},
    {"sigmoid", {F(s(x)), F(s(x) * s(-x))}},
    {"tanh", {F(std::tanh(x)), F((1 - std::tanh(x)) * (1 + std::tanh(x)))}},
    {"relu", {F(x <= 0 ? 0 : x), F(x <= 0 ? 0 : 1)}},
    {"leaky_relu", {F(x <= 0 ? x / 100 : x), F(x <= 0 ? R(0.01) : 1)}},
    {"elu", {F(x <= 0 ? std::expm1(x) : x), F(x <= 0 ? std::exp(x) : 1)}},
    {"softplus", {F(softplus(x)), F(s(x))}},
    {"silu", {F(x * s(x)), F(s(x) * (1 + x * s(-x)))}},
    {"gelu", {F(x * cdf(x)), F(cdf(x) + x * (std::exp(-x * x / 2) * R(0.39894228040143267794)))}},
    {"gelu_tanh", {F(x * s(p(x))), F(s(p(x)) + xdp(x) * s(p(x)) * s(-p(x)))}},
};
template <class R> Matrix<R> log_softmax(Matrix<R> z) {
    const R batch = *std::max_element(z.at.begin(), z.at.end());
    for (R *row = &z.at[0], *end = row + z.at.size(); row < end; row += z.cols) {
        const R top = BROKEN ? batch : *std::max_element(row, row + z.cols);
        R sum = 0;
        for (long j = 0; j < z.cols; j++) sum += std::exp(row[j] - top);
        for (long j = 0; j < z.cols; j++) row[j] -= top + std::log(sum);
    }
    return z;
}
template <class R> Matrix<R> activated(const Text &f, Matrix<R> z) {
    const bool soft = f == "softmax", logarithm = f == "log_softmax";
    if (soft || logarithm) z = log_softmax(z);
    for (R &x : z.at) x = soft ? std::exp(x) : logarithm ? x : functions<R>.at(f).value(x);
    return z;
}
template <class R, class M> M pulled(const Text &f, const M &z, const M &a, M d) { // dz of d = da
    for (long i = 0; i < z.rows; i++) {
        R sum = 0; // over the row
        for (long j = 0; j < z.cols; j++) sum += f == "softmax" ? a(i, j) * d(i, j) : d(i, j);
        for (long j = 0; j < z.cols; j++)
            if (f == "softmax") d(i, j) = a(i, j) * (d(i, j) - sum);
            else if (f == "log_softmax") d(i, j) -= std::exp(a(i, j)) * sum;
            else d(i, j) *= functions<R>.at(f).slope(z(i, j));
    }
    return d;
}

// ------------------------- losses: the mean, and its gradient g, of outputs a (n, c) and targets t
template <class R, class M> R mean_loss(const Text &name, const M &a, const M &t, M &g) {
    const bool classes = name == "cross_entropy", binary = name == "binary_cross_entropy";
    const Matrix<R> l = classes ? log_softmax(a) : a;
    const long count = classes ? a.rows : a.rows * a.cols;
    R total = 0;
    for (long i = 0; i < a.rows; i++) {
        R weight = 0; // the sum of t, 1 but for rounding
        for (long j = 0; j < a.cols; j++) weight += t(i, j);
        for (long j = 0; j < a.cols; j++) {
            const R x = l(i, j), y = t(i, j);
            total += classes ? (y > 0 ? -y * x : 0)
                   : binary ? y * softplus(-x) + (1 - y) * softplus(x) : (x - y) * (x - y);
            g(i, j) = classes ? weight * std::exp(x) - y : binary ? s(x) - y : 2 * (x - y);
            g(i, j) /= count;
        }
    }
    return total / count;
}

// ----------------------------------------------------------------------- the protocol: JSON lines
using Tokens = std::vector<Text>;
Tokens tokens_of(const Text &line) { // no text of the gate has a blank or an escape in it
    const char *marks = "{}[]:,\" \r";
    Tokens found;
    for (size_t at, end = 0; (at = line.find_first_not_of(marks, end)) != Text::npos;)
        end = line.find_first_of(marks, at), found.push_back(line.substr(at, end - at));
    return found;
}
Tokens::const_iterator after(const Tokens &tokens, const Text &key) {
    return std::find(tokens.begin(), tokens.end(), key) + 1;
}
void require(bool fits) { if (!fits) throw std::domain_error("sizes or dtypes do not fit"); }
template <class N> using Word = std::conditional_t<sizeof(N) == 8, uint64_t, uint32_t>;
template <class N> const Text dtype = sizeof(N) == 8 ? "float64" : "float32";
template <> const Text dtype<int64_t> = "int64";
template <class N> Matrix<N> read(const Tokens &tokens, const Text &name, long rank) {
    const auto shape = after(tokens, name) + 1, end = std::find(shape, tokens.end(), "dtype");
    require(end - shape == rank && end[1] == dtype<N>); // name shape 2 3 dtype float64 words ...
    Matrix<N> x(rank == 2 ? std::stol(shape[0]) : 1, std::stol(end[-1])); // a vector is one row
    for (size_t k = 0, digits = 2 * sizeof(N); k < x.at.size(); k++) {
        const auto word = Word<N>(std::stoull(end[3].substr(digits * k, digits), nullptr, 16));
        std::memcpy(&x.at[k], &word, sizeof word);
    }
    return x;
}
template <class R> void write(std::ostream &out, const Text &name, const Matrix<R> &x, int rank) {
    out << (name == "z0" ? "" : ",") << '"' << name << "\":{\"shape\":["
        << (rank == 2 ? std::to_string(x.rows) + ',' : "") << (rank ? std::to_string(x.cols) : "")
        << "],\"dtype\":\"" << dtype<R> << "\",\"words\":\"" << std::hex << std::setfill('0');
    Word<R> word;
    for (const R &number : x.at)
        std::memcpy(&word, &number, sizeof word), out << std::setw(2 * sizeof word) << word;
    out << "\"}";
}
template <class R> Text answer(const Tokens &tokens) {
    const auto loss = after(tokens, "loss");
    const Tokens f(after(tokens, "activations"), loss - 1);
    std::ostringstream out;
    std::vector<Matrix<R>> W, z, a{read<R>(tokens, "x", 2)}; // a[k]: the input of layer k
    const long n = a[0].rows;
    for (size_t k = 0; k < f.size(); k++) {
        const Text layer = std::to_string(k);
        const auto b = read<R>(tokens, "b" + layer, 1);
        W.push_back(read<R>(tokens, "W" + layer, 2));
        require(n > 0 && W[k].rows == a[k].cols && b.cols == W[k].cols);
        z.push_back(product(a[k], W[k]));
        for (size_t m = 0; m < z[k].at.size(); m++) z[k].at[m] += b.at[m % b.cols];
        a.push_back(activated(f[k], z[k]));
        write(out, "z" + layer, z[k], 2), write(out, "a" + layer, a[k + 1], 2);
    }
    const long c = a.back().cols;
    Matrix<R> t(n, c), d(n, c), ones(1, n, 1);
    if (*loss == "cross_entropy" && after(tokens, "target")[3] == "int64") {
        const auto y = read<int64_t>(tokens, "target", 1); // y is the probability 1 of class y
        require(y.cols == n);
        for (long i = 0; i < n; i++) require(0 <= y.at[i] && y.at[i] < c), t(i, y.at[i]) = 1;
    } else t = read<R>(tokens, "target", 2);
    require(t.rows == n && t.cols == c);
    write(out, "loss", Matrix<R>(1, 1, mean_loss<R>(*loss, a.back(), t, d)), 0);
    write(out, "g", d, 2); // the first d, that of the last a
    for (size_t k = f.size(); k--;) {
        d = pulled<R>(f[k], z[k], a[k + 1], d);
        write(out, "dW" + std::to_string(k), product(transposed(a[k]), d), 2);
        write(out, "db" + std::to_string(k), product(ones, d), 1);
        d = product(d, transposed(W[k]));
    }
    write(out, "dx", d, 2);
    return "\"outputs\":{" + out.str() + "}";
}
const char *about = R"({"protocol":1,"operations":["mlp"],"arithmetics":["float64","float32"],)"
                    R"("checks":["shape","broadcast","dtype","labels"]})";
int main() {
    for (Text line; std::getline(std::cin, line);) {
        const Tokens tokens = tokens_of(line);
        if (*after(tokens, "cmd") == "start") std::cout << about << std::endl;
        if (*after(tokens, "cmd") != "run") continue;
        std::cout << "{\"seq\":\"" << *after(tokens, "seq") << "\",";
        try {
            const bool wide = *after(tokens, "arithmetic") == "float64";
            std::cout << (*after(tokens, "operation") != "mlp" ? R"("skip":"mlp alone is here")"
                          : wide ? answer<double>(tokens) : answer<float>(tokens));
        } catch (const std::domain_error &error) {
            std::cout << "\"reject\":\"" << error.what() << '"';
        }
        std::cout << '}' << std::endl;
    }
}
