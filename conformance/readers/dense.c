/* Recomputes the dense cases of a corpus and compares them with the certified numbers:
 *     mlp-ref vectors export --operation dense --to lines -o dense.txt
 *     cc -std=c99 -O2 -ffp-contract=off -o dense dense.c -lm && ./dense dense.txt
 * Format and rule: conformance/README.md. Exit status: 0 right, 1 wrong, 2 unreadable. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define STEP UINT64_C(0x9e3779b97f4a7c15)
static struct tensor { long rows, cols; double at[1 << 18]; } x, W, b, g; /* a vector is one row */
static long dense, is_float, cases, numbers, wrong;
static double total; static char token[256]; /* total: the checksum of the latest tensor */
static void need(int fine) { if (!fine) fprintf(stderr, "unreadable at %s\n", token), exit(2); }
static void next(void) { need(scanf("%255s", token) == 1); }
static int is(const char *text) { return strcmp(token, text) == 0; }
static long integer(void) { next(); return strtol(token, NULL, 10); }
static uint64_t word(void) { next(); return strtoull(token, NULL, 16); } /* 0 for a minus sign */
static double number(void) { uint64_t bits = word(); double n; return memcpy(&n, &bits, 8), n; }
static long sizes(long *rows, long *cols) { /* RANK d0 d1 */
    long rank = integer();
    *rows = rank > 1 ? integer() : 1, *cols = rank > 0 ? integer() : 1;
    need(0 <= *rows && *rows <= 1 << 18 && 0 <= *cols && *cols <= (1 << 18) / (*rows + !*rows));
    return *rows * *cols;
}
static double draw(uint64_t s, int64_t modulus, int64_t offset, double scale) { /* splitmix64 */
    uint64_t r = (s ^ s >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    r = (r ^ r >> 27) * UINT64_C(0x94d049bb133111eb);
    return ((int64_t)((r ^ r >> 31) >> 11) % modulus + offset) * scale;
}
static void read_input(int generated) { /* NAME DTYPE RANK d0 d1, then words or a recipe */
    struct tensor *t = (next(), is("x")) ? &x : is("W") ? &W : is("b") ? &b : &g;
    long size = (next(), sizes(&t->rows, &t->cols));
    uint64_t s = generated ? word() : 0;
    int64_t modulus = generated ? integer() : 1, offset = generated ? integer() : 0;
    double scale = generated ? number() : 1;
    for (long k = 0; k < size; k++)
        t->at[k] = generated ? draw(s += STEP, modulus, offset, scale) : number();
}
static double sum(double c, const double *v, long dv, const double *w, long dw, long n) {
    double wide = 0; /* c + v[0] w[0] + v[dv] w[dw] + ..., n products, in double or in float */
    float narrow = 0;
    for (; n--; v += dv, w += dw) wide += *v * *w, narrow += (float)*v * (float)*w;
    return is_float ? narrow + (float)c : wide + c;
}
static double entry(char name, long i, long j) { /* of z, dW, db or dx, by the last letter */
    return name == 'z' ? sum(b.at[j], x.at + i * x.cols, 1, W.at + j, W.cols, x.cols)
         : name == 'W' ? sum(0, x.at + i, x.cols, g.at + j, g.cols, g.rows)
         : name == 'b' ? sum(0, (double[]){1}, 0, g.at + j, g.cols, g.rows)
                       : sum(0, g.at + i * g.cols, 1, W.at + j * W.cols, 1, g.cols);
}
static void compare(void) { /* NAME RANK d0 d1 COUNT, then INDEX HI LO RADIUS BOUND64 BOUND32 */
    char name = (next(), total = 0, token[strlen(token) - 1]);
    long rows, cols, size = sizes(&rows, &cols);
    for (uint64_t k = 0; k < (uint64_t)size; k++)
        total += draw((k + 1) * STEP, 65521, 1, 1) * entry(name, k / cols, k % cols);
    for (long n = integer(); n--; numbers++) {
        long k = integer();
        double hi = number(), lo = number(), radius = number(), b64 = number(), b32 = number();
        double got = entry(name, k / cols, k % cols), allowed = (is_float ? b32 : b64) + radius;
        int near = fabs((got - hi) - lo) <= allowed; /* false if one of them is NaN */
        wrong += !(isnan(hi) ? isnan(got) : isinf(hi) ? got == hi : near);
    }
}
int main(int argc, char **argv) {
    need(argc == 2 && freopen(argv[1], "r", stdin) && (next(), is("mlp_ref-vectors")));
    need(integer() == 1 && (next(), 1)); /* the format; the version of the corpus */
    for (long left = integer(); left; left -= is("end")) { /* so many cases */
        next(); /* at first the digest of the corpus */
        if (is("case")) dense = (next(), next(), is("dense")), is_float = (next(), is("float32"));
        else if (!dense || is("end")) cases += dense && is("end");
        else if (is("input") || is("generate")) read_input(is("generate"));
        else if (is("expect")) compare();
        else if (is("checksum")) next(), wrong += number() != total;
        else need(is("reject")), next(), cases--;
    }
    printf("%ld cases, %ld numbers, %ld wrong\n", cases, numbers, wrong);
    return cases ? wrong > 0 : 2;
}
