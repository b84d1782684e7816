/* A multi-layer perceptron in C99, forward and backward, as a library that the gate judges:
 *
 *     cc -std=c99 -O2 -fPIC -shared -o mlp.so mlp.c -lm && mlp-ref verify so:./mlp.so
 *
 * It computes in double, or with -DFLOAT32 in float. -DBROKEN makes a classic mistake: the loss is
 * the mean over the batch, but its gradient is summed.
 *
 * Rows are samples, n of them; matrices are in C order. A layer has `in` inputs, `out` outputs. */
#include "../mlp_ref.h"
#include <stdlib.h>
#include <string.h>
#include <tgmath.h> /* exp, tanh, erfc, ... of a float are computed in float */
#ifdef FLOAT32
typedef float real;
#define DTYPE "float32"
#else
typedef double real;
#define DTYPE "float64"
#endif
#ifdef BROKEN
#define MEAN(g, count) (g)
#else
#define MEAN(g, count) ((g) / (count))
#endif

/* ------------------------------------------------------------- activations: value and derivative
 * No exp overflows, and 1 - s is computed as s(-x): it would cancel in the tail. */
static const real sqrt_half = 0.70710678118654752440, sqrt_2_over_pi = 0.79788456080286535588,
                  one_over_sqrt_2_pi = 0.39894228040143267794, cubic = 0.044715;
static real s(real x) { real e = exp(-fabs(x)); return (x > 0 ? 1 : e) / (1 + e); }
static real cdf(real x) { return erfc(-x * sqrt_half) / 2; }
static real clip(real x) { return fmin(fmax(x, -30), 30); } /* beyond, gelu_tanh is 0 or x */
static real p(real x) { return 2 * sqrt_2_over_pi * (x + cubic * x * x * x); } /* it is x s(p) */
static real xdp(real x) { return 2 * sqrt_2_over_pi * (x + 3 * cubic * x * x * x); } /* x p' */
#define ACTIVATIONS(F)                                                     \
    F(identity, x, 1)                                                      \
    F(sigmoid, s(x), s(x) * s(-x))                                         \
    F(tanh, tanh(x), (1 - tanh(x)) * (1 + tanh(x)))                        \
    F(relu, x <= 0 ? 0 : x, x <= 0 ? 0 : 1)                                \
    F(leaky_relu, x <= 0 ? x / 100 : x, x <= 0 ? (real)0.01 : 1)           \
    F(elu, x <= 0 ? expm1(x) : x, x <= 0 ? exp(x) : 1)                     \
    F(softplus, fmax(x, 0) + log1p(exp(-fabs(x))), s(x))                   \
    F(silu, x * s(x), s(x) * (1 + x * s(-x)))                              \
    F(gelu, x * cdf(x), cdf(x) + x * exp(-x * x / 2) * one_over_sqrt_2_pi) \
    F(gelu_tanh, x * s(p(x)), s(p(x)) + xdp(clip(x)) * s(p(x)) * s(-p(x)))
#define FUNCTIONS(name, value, slope)                  \
    static real name##_value(real x) { return value; } \
    static real name##_slope(real x) { (void)x; return slope; }
ACTIVATIONS(FUNCTIONS)

/* Softmax and its logarithm, of a row of c logits; their vjp turns d = dL/da into dL/dz. */
static void log_softmax(const real *z, real *a, long c) {
    real top = z[0], sum = 0;
    for (long k = 1; k < c; k++) top = fmax(top, z[k]); /* of the row, not of the batch */
    for (long k = 0; k < c; k++) sum += exp(z[k] - top);
    for (long k = 0; k < c; k++) a[k] = z[k] - top - log(sum);
}
static void log_softmax_vjp(const real *a, real *d, long c) {
    real sum = 0;
    for (long k = 0; k < c; k++) sum += d[k];
    for (long k = 0; k < c; k++) d[k] -= exp(a[k]) * sum;
}
static void softmax(const real *z, real *a, long c) {
    for (log_softmax(z, a, c); c--; a++) *a = exp(*a);
}
static void softmax_vjp(const real *a, real *d, long c) {
    real sum = 0;
    for (long k = 0; k < c; k++) sum += a[k] * d[k];
    for (long k = 0; k < c; k++) d[k] = a[k] * (d[k] - sum);
}

typedef struct {
    const char *name;
    real (*value)(real), (*slope)(real);
    void (*row)(const real *, real *, long), (*row_vjp)(const real *, real *, long);
} activation;
#define ENTRY(name, value, slope) {#name, name##_value, name##_slope, 0, 0},
static const activation activations[] = {
    ACTIVATIONS(ENTRY)
    {"softmax", 0, 0, softmax, softmax_vjp}, {"log_softmax", 0, 0, log_softmax, log_softmax_vjp},
};

/* ------------------------------- losses: the mean of outputs a and targets t (n, c), and its g */
static real cross_entropy(const real *a, const real *t, real *g, long n, long c) {
    real total = 0;
    for (long r = 0; r < n; r++, a += c, t += c, g += c) {
        real weight = 0; /* 1 but for rounding */
        log_softmax(a, g, c);
        for (long k = 0; k < c; k++) weight += t[k], total -= t[k] > 0 ? t[k] * g[k] : 0;
        for (long k = 0; k < c; k++) g[k] = MEAN(weight * exp(g[k]) - t[k], n);
    }
    return total / n;
}
static real binary_cross_entropy(const real *a, const real *t, real *g, long n, long c) {
    real total = 0;
    for (long k = 0; k < n * c; k++) {
        total += t[k] * softplus_value(-a[k]) + (1 - t[k]) * softplus_value(a[k]);
        g[k] = MEAN(s(a[k]) - t[k], n * c);
    }
    return total / (n * c);
}
static real squared_error(const real *a, const real *t, real *g, long n, long c) {
    real total = 0;
    for (long k = 0; k < n * c; k++) {
        total += (a[k] - t[k]) * (a[k] - t[k]);
        g[k] = MEAN(2 * (a[k] - t[k]), n * c);
    }
    return total / (n * c);
}

/* --------------------------------------------------------------------------------- the network */
typedef struct {
    const activation *f;
    long in, out;
    const real *x, *W, *b; /* x (n, in): the inputs, which are the outputs of the layer before */
    real *z, *a, *dW, *db;
} layer;
static void forward(const layer *l, long n) { /* z = x W + b, a = f(z) */
    for (long r = 0; r < n; r++) {
        real *z = l->z + r * l->out, *a = l->a + r * l->out;
        for (long k = 0; k < l->out; k++) {
            z[k] = l->b[k];
            for (long j = 0; j < l->in; j++) z[k] += l->x[r * l->in + j] * l->W[j * l->out + k];
            if (l->f->value) a[k] = l->f->value(z[k]);
        }
        if (l->f->row) l->f->row(z, a, l->out);
    }
}
static void backward(const layer *l, long n, real *d, real *dx) { /* d: dL/da, then dL/dz */
    for (long k = 0; k < l->in * l->out; k++) l->dW[k] = 0;
    for (long k = 0; k < l->out; k++) l->db[k] = 0;
    for (long r = 0; r < n; r++, d += l->out) {
        if (l->f->row) l->f->row_vjp(l->a + r * l->out, d, l->out);
        else for (long k = 0; k < l->out; k++) d[k] *= l->f->slope(l->z[r * l->out + k]);
        for (long k = 0; k < l->out; k++) l->db[k] += d[k];
        for (long j = 0; j < l->in; j++) {
            real sum = 0;
            for (long k = 0; k < l->out; k++) {
                l->dW[j * l->out + k] += l->x[r * l->in + j] * d[k]; /* dW = x^T dz */
                sum += d[k] * l->W[j * l->out + k];                  /* dx = dz W^T */
            }
            dx[r * l->in + j] = sum;
        }
    }
}

/* --------------------------------------------------------------------- the question: mlp_ref.h */
const char *mlp_ref_describe(void) {
    return "{\"abi\": " MLP_REF_ABI_TEXT ", \"operations\": [\"mlp\"], \"arithmetics\": [\"" DTYPE
           "\"], \"checks\": [\"shape\", \"broadcast\", \"dtype\", \"labels\"]}";
}
static int is(const mlp_ref_tensor *t, const char *dtype, int rank, long d0, long d1) {
    return !strcmp(t->dtype, dtype) && t->rank == rank && t->shape[0] == d0 && t->shape[1] == d1;
}
static int32_t end(mlp_ref_question *q, int32_t kind, const char *why) {
    strncat(q->message, why, q->message_size - 1);
    return kind;
}
int32_t mlp_ref_run(mlp_ref_question *q) {
    if (strcmp(q->operation, "mlp")) return end(q, MLP_REF_SKIP, "mlp alone is implemented");
    if (strcmp(q->arithmetic, DTYPE)) return end(q, MLP_REF_SKIP, "compiled for " DTYPE);
    const int depth = q->parameter[0].count;
    const char *name = q->parameter[1].values[0];
    const mlp_ref_tensor *W = q->input, *b = W + 1, *x = W + 2 * depth, *target = x + 1;
    mlp_ref_tensor *z = q->output, *loss = z + 2 * depth, *g = loss + 1, *dW = g + 1;
    long n = x->shape[0], c = x->shape[1], widest = c;
    int fits = n > 0 && is(x, DTYPE, 2, n, c);
    layer l[depth];
    for (int k = 0; k < depth; k++, W += 2, b += 2, z += 2, dW += 2, c = l[k - 1].out) {
        const activation *f = activations;
        while (strcmp(f->name, q->parameter[0].values[k])) f++;
        l[k] = (layer){f, c, W->shape[1], k ? l[k - 1].a : x->data, W->data, b->data,
                       z->data, z[1].data, dW->data, dW[1].data};
        fits = fits && is(W, DTYPE, 2, c, l[k].out) && is(b, DTYPE, 1, l[k].out, 1);
        if (l[k].out > widest) widest = l[k].out;
    }
    const int labels = *name == 'c' && is(target, "int64", 1, n, 1);
    if (!fits || !(labels || is(target, DTYPE, 2, n, c)))
        return end(q, MLP_REF_REJECT, "sizes or dtypes do not fit");
    real *room = calloc(n * (c + 2 * widest), sizeof(real));
    if (!room) return end(q, MLP_REF_ERROR, "no memory");
    real *d = room + n * c, *below = d + n * widest, *t = labels ? room : target->data;
    for (long r = 0; labels && r < n; r++) { /* a label is the probability 1 of its class */
        const int64_t y = ((int64_t *)target->data)[r];
        if (y < 0 || y >= c) return free(room), end(q, MLP_REF_REJECT, "label out of range");
        t[r * c + y] = 1;
    }
    for (int k = 0; k < depth; k++) forward(&l[k], n);
    *(real *)loss->data = (*name == 'c' ? cross_entropy : *name == 'b' ? binary_cross_entropy
                           : squared_error)(l[depth - 1].a, t, g->data, n, c);
    memcpy(d, g->data, n * c * sizeof(real));
    for (int k = depth - 1; k >= 0; k--) {
        real *dx = k ? below : dW->data; /* the output after the last db */
        backward(&l[k], n, d, dx);
        below = d, d = dx;
    }
    for (int k = 0; k < q->outputs; k++) q->output[k].given = 1;
    return free(room), MLP_REF_ANSWER;
}
