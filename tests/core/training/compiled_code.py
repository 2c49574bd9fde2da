"""Print the compiled code of training, as LLVM has it and as assembly for ARM, as JSON.

It runs in a process of its own: LLVM ends the process where it can't translate something.
"""

import json
import re
import sys

import llvmlite.binding as llvm
import numba as nb
import numpy as np

from core.recipe import Recipe
from core.training import augmentation, compiled, strokes
from tests.core.training.comparison import initial_mlp

FUNCTIONS = (
    compiled._descend,
    compiled._evaluate,
    strokes.with_hooks,
    strokes.with_other_widths,
    augmentation._smooth,
    augmentation._resample,
)


def llvm_code() -> list[str]:
    """The functions with all that they call, optimised for the processor that Numba is told."""
    engine = compiled.CompiledEngine(initial_mlp(Recipe()), Recipe())
    x, y = np.zeros((1, 784), np.float32), np.zeros(1, np.int64)
    engine.run(x, y, y, 0.01)
    engine.evaluate(x, y)
    changes = Recipe(elastic=1, stroke_width=1, hooks=1, refit=True)
    augmentation.augment(x, y, changes, np.random.default_rng(0))
    codes = []
    for function in FUNCTIONS:
        # Numba shows no code that it has read from its cache, so it compiles the function again.
        again = nb.jit(**function.targetoptions)(function.py_func)
        again.compile(*function.signatures)
        codes += again.inspect_llvm().values()
    return codes


def for_arm(code: str) -> str:
    """Assembly for 64-bit ARM, as the compiler makes it of LLVM's code."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    machine = target.create_target_machine(opt=3)
    code = re.sub("^target (datalayout|triple).*$", "", code, flags=re.MULTILINE)
    # Counting references to arrays is the only thing that is written for x86 alone.
    counting = r"(tail )?call i8 @llvm\.x86\.atomic\.sub\.cc\.i64\([^)]*\)( #\d+)?"
    code = re.sub(counting, "add i8 0, 0", code)
    head = f'target triple = "{target.triple}"\ntarget datalayout = "{machine.target_data}"\n'
    assembly: str = machine.emit_assembly(llvm.parse_assembly(head + code))
    return assembly


if __name__ == "__main__":
    codes = llvm_code()
    json.dump({"llvm": codes, "arm": [for_arm(code) for code in codes]}, sys.stdout)
