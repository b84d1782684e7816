"""C libraries for tests: compiled from one source, with what a test puts into it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.subjects import Question

HEADER = Path(__file__).parents[1] / "conformance" / "mlp_ref.h"
ABOUT = '{"abi": 1, "operations": ["softmax"], "arithmetics": ["float64", "float32", "float16"]}'
# y is 2 x, dx is g; INSTEAD, REST and ABOUT come from the test
SOURCE = f"""
#include "{HEADER}"
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#ifndef NO_DESCRIBE
const char *mlp_ref_describe(void) {{ return ABOUT; }}
#endif
#ifndef NO_RUN
int32_t mlp_ref_run(mlp_ref_question *q) {{
    const mlp_ref_tensor *x = q->input;
    mlp_ref_tensor *y = q->output;
    const int64_t size = x->shape[0] * x->shape[1];
    const int wide = strcmp(x->dtype, "float64") == 0;
    INSTEAD
    for (int64_t k = 0; k < size; k++) {{
        if (wide) ((double *)y->data)[k] = 2 * ((double *)x->data)[k];
        else ((float *)y->data)[k] = 2 * ((float *)x->data)[k];
    }}
    memcpy(q->output[1].data, q->input[1].data, size * (wide ? 8 : 4));
    for (int k = 0; k < q->outputs; k++) q->output[k].given = 1;
    REST
    return MLP_REF_ANSWER;
}}
#endif
"""
Build = Callable[..., str]


def compile_library(folder: Path, source: str, *flags: str) -> str:
    """The spec of a library that is compiled in the folder; without a compiler the test is skipped.

    Every library has a new name, because one that is loaded is not loaded again.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        reason = "a C compiler, gcc or cc, must be there to test libraries; got none"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    name = f"mine{len([*folder.iterdir()])}"
    file, library = folder / f"{name}.c", folder / f"{name}.so"
    file.write_text(source)
    command = [compiler, "-std=c99", *flags, "-fPIC", "-shared", "-o", library, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return f"so:{library}"


def builder(folder: Path) -> Build:
    """What compiles the library, with other statements or another description; the spec of it."""

    def compiled(instead: str = "", rest: str = "", about: str | None = ABOUT, *flags: str) -> str:
        text = "0" if about is None else '"' + about.replace("\\", "\\\\").replace('"', '\\"') + '"'
        macros = f"#define INSTEAD {instead}\n#define REST {rest}\n#define ABOUT {text}\n"
        return compile_library(folder, macros + SOURCE, "-w", *flags)

    return compiled


def question(dtype: str = "float64", rows: int = 2) -> Question:
    """Two inputs (rows, 3) of the operation softmax."""
    x = np.arange(3.0 * rows).reshape(rows, 3).astype(dtype)
    return Question("softmax", dtype, {}, {"x": x, "g": -x})
