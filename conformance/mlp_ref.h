/* mlp_ref.h - the C interface of the gate: what a library implements to be judged as so:PATH.
 *
 *     mlp-ref verify so:./libmine.so
 *
 * A library exports two functions, mlp_ref_describe and mlp_ref_run. It is loaded in a child
 * process: if it crashes or hangs, one case is an error and the run goes on.
 *
 * C99 and C++98. The operations, their formulas and the names of their tensors are described in
 * README.md beside this file, all the rest in PROTOCOL.md.
 */
#ifndef MLP_REF_H
#define MLP_REF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface, as a number and as a text for mlp_ref_describe. */
#define MLP_REF_ABI 1
#define MLP_REF_ABI_TEXT "1"

/* What mlp_ref_run returns. For all but MLP_REF_ANSWER write the reason to `message`. */
enum {
    MLP_REF_ANSWER = 0, /* the outputs that are marked as given hold the answer */
    MLP_REF_SKIP = 1,   /* not implemented */
    MLP_REF_REJECT = 2, /* the inputs are wrong: sizes, dtypes, labels, a value out of range */
    MLP_REF_ERROR = 3   /* anything else, such as no memory */
};

/* A tensor: an array in C order, the last index runs fastest, without gaps.
 *
 * dtype   "float64", "float32" or "int64" (labels). For the arithmetics tf32 and bfloat16 it is
 *         "float32"; for float16 "float16", words of 16 bits.
 * rank    0, 1 or 2; the sizes are shape[0], ..., shape[rank - 1], and the others are 1, so that
 *         shape[0] * shape[1] is always the number of entries
 * data    aligned to 64 bytes; of an input: do not write there
 * given   of an output: 0 when you are called; set it to 1 if you have written every entry.
 *         A tensor that is not given is counted as skipped.
 */
typedef struct {
    const char *name;
    const char *dtype;
    int32_t rank;
    int64_t shape[2];
    void *data;
    int32_t given;
} mlp_ref_tensor;

/* A parameter: `count` texts, more than one for a list. A number is decimal, and strtod reads the
 * float64 that is meant; a truth value is "true" or "false". */
typedef struct {
    const char *name;
    int32_t count;
    const char *const *values;
} mlp_ref_parameter;

/* A question. Parameters, inputs and outputs come in the order of the table in PROTOCOL.md.
 *
 * Everything belongs to the caller and ends with the call: keep no pointer, free nothing. The
 * outputs have the shapes that the operation defines. For inputs that you must refuse they may fit
 * nothing: look at the sizes before you write.
 */
typedef struct {
    int32_t abi;                        /* MLP_REF_ABI of the caller */
    const char *operation;              /* "activation", "dense", ..., "mlp" */
    const char *arithmetic;             /* "float64", "float32", ...: compute in it */
    int32_t parameters;                 /* how many there are of each */
    int32_t inputs;
    int32_t outputs;
    const mlp_ref_parameter *parameter;
    const mlp_ref_tensor *input;
    mlp_ref_tensor *output;
    char *message;                      /* the reason, UTF-8 with a final 0; empty when called */
    int32_t message_size;               /* bytes that you may write there, that 0 included */
} mlp_ref_question;

#if defined(_WIN32)
#define MLP_REF_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define MLP_REF_EXPORT __attribute__((visibility("default")))
#else
#define MLP_REF_EXPORT
#endif

/* Answer one question. Called by one thread, one question after another, the same one perhaps
 * again. Returns MLP_REF_ANSWER, MLP_REF_SKIP, MLP_REF_REJECT or MLP_REF_ERROR. */
MLP_REF_EXPORT int32_t mlp_ref_run(mlp_ref_question *question);

/* What the library implements, as a JSON object; the text stays valid. For example
 *
 *     return "{\"abi\": " MLP_REF_ABI_TEXT ", \"versions\": {\"mine\": \"1.2\"},"
 *            " \"operations\": [\"dense\"], \"arithmetics\": [\"float64\"],"
 *            " \"checks\": [], \"conventions\": []}";
 *
 * abi, operations and arithmetics are required. PROTOCOL.md explains the keys. */
MLP_REF_EXPORT const char *mlp_ref_describe(void);

#ifdef __cplusplus
}
#endif

#endif
