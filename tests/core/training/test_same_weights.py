"""The promise that every processor trains the same network by the same recipe, bit for bit."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import pytest

from core.__main__ import main
from core.networks import LIBRARY

ROOT = Path(__file__).parents[3]

# Of all that `same_weights` computes. They change only if training itself changes; then the shipped
# networks are trained anew too.
DIGESTS = {
    "older": "bad2ff23fdc513172089c5a0599694bc260a250137961680e06fcd25e0f6615d",
    "any-hand": "7d40483831ef09f5e3a35c0defec9cb8da21e5246ac7e9f8b4b3c8df9ce61281",
}

# The processor that is compiled for, its features, and what this processor needs to run the code.
GENERIC = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
PROCESSORS = {
    "as it is": (None, "", ""),
    "generic": ("generic", "", ""),
    "haswell": ("haswell", "+avx2,+fma", "avx2"),
    "haswell without FMA": ("haswell", "+avx2,-fma", "avx2"),
    "skylake-avx512": ("skylake-avx512", "+avx512f,+avx512vl,+avx512dq,+fma", "avx512vl"),
}


def compiled_for(processor: str, *arguments: str) -> Any:
    """What `same_weights` prints in a process that compiles for a processor."""
    name, features, needed = PROCESSORS[processor]
    own = llvm.get_host_cpu_features()
    if name not in (None, "generic") and not own.get(needed):
        pytest.skip(f"this processor can't run code for {processor}: it has no {needed}")
    chosen = {} if name is None else {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    return json.loads(output_of(chosen, "tests.core.training.same_weights", *arguments))


def output_of(environment: Mapping[str, str], module: str, *arguments: str) -> str:
    """What a module prints, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.thorough
@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_processor_trains_the_same_networks(processor: str) -> None:
    assert compiled_for(processor) == DIGESTS


def test_a_sum_that_the_compiler_may_order_differs() -> None:
    assert compiled_for("generic", "control") != compiled_for("haswell", "control")


@cache
def code_of_the_engine() -> dict[str, list[str]]:
    """The compiled engine's functions, as LLVM has them ("llvm") and as assembly ("arm")."""
    code: dict[str, list[str]] = json.loads(output_of(GENERIC, "tests.core.training.compiled_code"))
    return code


@pytest.mark.thorough
def test_the_compiler_may_neither_reorder_nor_fuse() -> None:
    flags = {"fast", "reassoc", "contract", "nnan", "ninf", "nsz", "arcp", "afn"}
    for code in code_of_the_engine()["llvm"]:
        operations = re.findall(r" = (?:tail )?(f(?:add|sub|mul|div|cmp) [\w ]*)", code)
        assert len(operations) > 15
        assert not {word for operation in operations for word in operation.split()} & flags
        assert not re.search(r"@llvm\.(fma|fmuladd|exp|log|sin|cos)|@(exp|log|sin|cos)f?\(", code)


def test_on_arm_no_product_is_fused_with_a_sum() -> None:
    for assembly in code_of_the_engine()["arm"]:
        operations = set(re.findall(r"^\t(f\w+)\t", assembly, re.MULTILINE))
        assert {"fmul", "fadd"} <= operations
        assert not operations & {"fmadd", "fmsub", "fnmadd", "fnmsub", "fmla", "fmls"}


def test_the_report_s_recipe_gives_the_shipped_network(tmp_path: Path) -> None:
    out = tmp_path / "report.safetensors"
    assert main(["train", "report", "--out", str(out)]) == 0
    trained, shipped = (path.read_bytes() for path in (out, LIBRARY.path("report")))
    assert weights_of(trained) == weights_of(shipped)


def weights_of(file: bytes) -> bytes:
    """All numbers of a safetensors file, without its header."""
    return file[8 + int.from_bytes(file[:8], "little") :]
