/* Recomputes every dense case of `mlp-ref vectors export --to lines -o cases.lines`:
 *     cc -std=c99 -O2 -o dense dense.c -lm && ./dense cases.lines
 * Exit status: 0 all entries are right, 1 some are wrong, 2 the file is damaged. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *in[4]; /* x (n, i), W (i, o), b (o,), g (n, o), in this order */
static long size[4][2], inputs, is32;
static void die(const char *why) { fprintf(stderr, "damaged: %s\n", why); exit(2); }
static char *token(void) { char *s = strtok(NULL, " \n"); if (!s) die("no end"); return s; }
static long integer(void) { return strtol(token(), NULL, 10); }
static uint64_t bits(void) { return strtoull(token(), NULL, 16); } /* 0 for the word - */
static double word(void) { uint64_t w = bits(); double d; memcpy(&d, &w, sizeof d); return d; }
static long sizes(long s[2]) { /* RANK d0 d1; a vector counts as one row */
    s[0] = s[1] = 1;
    for (long rank = integer(), k = 2 - rank; k < 2; k++) s[k < 0 ? 0 : k] = integer();
    return s[0] * s[1];
}
static void read_input(int generated) { /* NAME DTYPE RANK d0 d1, then words or a recipe */
    if (inputs == 4 || !token() || !token()) die("inputs");
    long n = sizes(size[inputs]);
    double *v = in[inputs++] = malloc((size_t)(n + 1) * sizeof(double));
    uint64_t s = generated ? bits() : 0, r;
    long modulus = generated ? integer() : 1, offset = generated ? integer() : 0;
    double scale = generated ? word() : 0;
    for (long k = 0; k < n; k++) {
        r = s += 0x9e3779b97f4a7c15u;
        r = (r ^ r >> 30) * 0xbf58476d1ce4e5b9u;
        r = (r ^ r >> 27) * 0x94d049bb133111ebu;
        v[k] = generated ? ((long)((r ^ r >> 31) >> 11) % modulus + offset) * scale : word();
    }
}
static void add(double *s, double a, double b) { /* s += a b, in the arithmetic of the case */
    *s = is32 ? (float)*s + (float)a * (float)b : *s + a * b;
}
static double *compute(const char *name) { /* z = x W + b, dW = x^T g, db = 1^T g, dx = g W^T */
    long n = size[0][0], i = size[0][1], o = size[1][1];
    double *q = calloc((size_t)(n * i + i * o + n * o + 1), sizeof(double));
    double *x = in[0], *W = in[1], *b = in[2], *g = in[3];
    for (long r = 0; r < n; r++) for (long c = 0; c < i; c++) for (long j = 0; j < o; j++) {
        if (!strcmp(name, "z")) add(&q[r * o + j], x[r * i + c], W[c * o + j]);
        else if (!strcmp(name, "dW")) add(&q[c * o + j], x[r * i + c], g[r * o + j]);
        else if (!strcmp(name, "dx")) add(&q[r * i + c], g[r * o + j], W[c * o + j]);
        else if (c == 0) add(&q[j], 1, g[r * o + j]);
    }
    for (long k = 0; *name == 'z' && k < n * o; k++) add(&q[k], 1, b[k % o]);
    return q;
}
static long wrong(double got) { /* HI LO RADIUS BOUND64 BOUND32 */
    double hi = word(), lo = word(), radius = word(), b64 = word(), b32 = word();
    if (isnan(hi) || isinf(hi)) return !(isnan(hi) ? isnan(got) : got == hi);
    return !(fabs((got - hi) - lo) <= (is32 ? b32 : b64) + radius);
}
int main(int argc, char **argv) {
    static char text[1 << 26], *t;
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    size_t length = f ? fread(text, 1, sizeof text - 1, f) : 0, end = length;
    long dense = 0, cases = 0, rejects = 0, entries = 0, bad = 0, s[2];
    unsigned long a = 1, b = 0, stated = 0; /* Adler-32 of all but the last line, total COUNT SUM */
    while (end && (end == length || text[end - 1] != '\n')) end--;
    for (size_t k = 0; k < end; k++) a = (a + (unsigned char)text[k]) % 65521, b = (b + a) % 65521;
    sscanf(text + end, "total %*d %lx", &stated);
    if (strncmp(text, "mlp_ref 1 ", 10) || stated != (b << 16 | a)) die("format or checksum");
    for (t = strtok(text, " \n"); strcmp(t, "total"); t = token()) {
        if (!strcmp(t, "note")) strtok(NULL, "\n");
        if (!strcmp(t, "case") && (inputs = 0, token()))
            cases += dense = !strcmp(token(), "dense"), is32 = !strcmp(token(), "float32");
        rejects += dense && !strcmp(t, "reject");
        if (dense && (!strcmp(t, "input") || !strcmp(t, "generate"))) read_input(*t == 'g');
        if (!dense || strcmp(t, "expect")) continue;
        double *q = compute(token());
        long total = sizes(s), count = integer(), k;
        for (entries += count; count-- && (k = integer()) < total;) bad += wrong(q[k]);
    }
    printf("%ld cases, %ld to reject; %ld entries, %ld wrong\n", cases, rejects, entries, bad);
    return bad > 0;
}
