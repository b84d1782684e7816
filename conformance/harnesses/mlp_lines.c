/* The same network for a machine without a connection, a file system or a JSON parser:
 *
 *     mlp-ref questions folder && cc -std=c99 -O2 -o mlp_lines mlp_lines.c -lm
 *     ./mlp_lines < folder/questions.txt > folder/answers.txt
 *     mlp-ref verify files:folder
 *
 * It reads the token form of ../PROTOCOL.md. Exit status: 0, or 2 if that is not what it reads. */
#include "mlp.c"
#include <inttypes.h>
#include <stdio.h>
static char token[256], text[64 << 10]; /* the names of a question */
static double room[8 << 20];            /* its tensors; a double fits every entry */
static size_t texts, used;
static const char *next(void) { if (scanf("%255s", token) != 1) exit(2); return token; }
static long integer(void) { return strtol(next(), NULL, 10); }
static const char *kept(const char *name) {
    if ((texts += strlen(name) + 1) > sizeof text) exit(2);
    return strcpy(text + texts - strlen(name) - 1, name);
}
static mlp_ref_tensor tensor(const char *name, const char *dtype, int rank, long d0, long d1) {
    mlp_ref_tensor t = {kept(name), kept(dtype), rank, {d0, d1}, room + used, 0};
    if ((used += d0 * d1) > sizeof room / sizeof *room) exit(2);
    return t;
}
static mlp_ref_tensor input(void) { /* NAME DTYPE RANK d0 ... word ... */
    const char *name = kept(next()), *dtype = kept(next());
    const int rank = integer();
    const long d0 = rank > 0 ? integer() : 1, d1 = rank > 1 ? integer() : 1;
    const mlp_ref_tensor t = tensor(name, dtype, rank, d0, d1);
    for (long k = 0; k < d0 * d1; k++) {
        const uint64_t word = strtoull(next(), NULL, 16);
        double number;
        memcpy(&number, &word, sizeof number);
        if (!strcmp(dtype, "int64")) ((int64_t *)t.data)[k] = (int64_t)word;
        else if (!strcmp(dtype, "float64")) ((double *)t.data)[k] = number;
        else ((float *)t.data)[k] = (float)number;
    }
    return t;
}
static void want(mlp_ref_question *q, const char *part, int layer, int rank, long d0, long d1) {
    char name[32];
    const int length = snprintf(name, sizeof name, "%s", part);
    if (layer >= 0) snprintf(name + length, sizeof name - length, "%d", layer);
    q->output[q->outputs++] = tensor(name, DTYPE, rank, d0, d1);
}
static void want_all(mlp_ref_question *q) { /* the outputs of mlp, of the shapes of the inputs */
    const int depth = strcmp(q->operation, "mlp") ? 0 : q->parameter[0].count;
    const mlp_ref_tensor *W = q->input, *x = W + 2 * depth;
    for (int k = 0; k < depth; k++) {
        want(q, "z", k, 2, x->shape[0], W[2 * k].shape[1]);
        want(q, "a", k, 2, x->shape[0], W[2 * k].shape[1]);
    }
    if (depth) want(q, "loss", -1, 0, 1, 1);
    if (depth) want(q, "g", -1, 2, x->shape[0], W[2 * depth - 2].shape[1]);
    for (int k = 0; k < depth; k++) {
        want(q, "dW", k, W[2 * k].rank, W[2 * k].shape[0], W[2 * k].shape[1]);
        want(q, "db", k, W[2 * k + 1].rank, W[2 * k + 1].shape[0], W[2 * k + 1].shape[1]);
    }
    if (depth) want(q, "dx", -1, x->rank, x->shape[0], x->shape[1]);
}
static void print(const mlp_ref_tensor *t) { /* as float64, whatever the dtype */
    printf("output %s %s %d", t->name, t->dtype, (int)t->rank);
    for (int k = 0; k < t->rank; k++) printf(" %ld", (long)t->shape[k]);
    for (long k = 0; k < t->shape[0] * t->shape[1]; k++) {
        const double number = ((real *)t->data)[k];
        uint64_t word;
        memcpy(&word, &number, sizeof word);
        printf("\n%016" PRIx64, word);
    }
    puts("");
}
static void answer(const char *seq, mlp_ref_question *q) {
    static const char *const kinds[] = {"answer", "skip", "reject", "error"};
    const int32_t kind = mlp_ref_run(q);
    printf("%s %s %s\n", kinds[kind], seq, q->message);
    for (int k = 0; kind == MLP_REF_ANSWER && k < q->outputs; k++) print(&q->output[k]);
    if (kind == MLP_REF_ANSWER) puts("end");
}
int main(void) {
    if (strcmp(next(), "mlp_ref-questions") || integer() != 1) return 2;
    printf("mlp_ref-answers 1\nsubject mlp_lines\noperations 1 mlp\narithmetics 1 " DTYPE "\n"
           "checks 4 shape broadcast dtype labels\n");
    for (long left = integer(); left--; texts = used = 0) {
        if (strcmp(next(), "question")) return 2;
        const char *seq = kept(next()), *operation = kept(next()), *arithmetic = kept(next());
        const char *values[64];
        mlp_ref_parameter parameter[16];
        mlp_ref_tensor in[64], out[128];
        char message[256] = "";
        mlp_ref_question q = {MLP_REF_ABI, operation, arithmetic, 0, 0, 0, parameter, in, out,
                              message, sizeof message};
        for (int held = 0; !strcmp(next(), "parameter"); q.parameters++) {
            mlp_ref_parameter *p = &parameter[q.parameters];
            p->name = kept(next()), p->count = integer(), p->values = values + held;
            for (int k = 0; k < p->count; k++) values[held++] = kept(next());
        }
        for (; !strcmp(token, "input"); next()) in[q.inputs++] = input();
        if (strcmp(token, "end")) return 2;
        want_all(&q);
        answer(seq, &q);
    }
    return 0;
}
