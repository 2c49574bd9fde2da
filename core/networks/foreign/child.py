"""The process in which torch and onnx read a file of a stranger.

`python -m core.networks.foreign.child PyTorch` reads the file from its input and writes what
`found.to_bytes` returns, or a byte 0 and the reason why there is none. Its time and, where the
system has such limits, its memory and its files are limited.
"""

import importlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from core.networks.foreign.found import Found, from_bytes, to_bytes
from core.networks.foreign.kinds import ONNX, PYTORCH

SECONDS = 60.0
MORE_MEMORY = 2**30  # bytes beyond what the imported packages take
_ROOT = Path(__file__).parents[3]
_READERS = {PYTORCH: ("pytorch_file", "torch"), ONNX: ("onnx_file", "onnx")}
_REFUSED = b"\0"


def read(content: bytes, kind: str, *, seconds: float = SECONDS) -> Found:
    """Return what a file of `kind` holds; another process reads it.

    Raises:
        ValueError: the file can't be read; the message says why.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "core.networks.foreign.child", kind]
    try:
        done = subprocess.run(
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env=environment,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"reading it took more than {seconds:.0f} seconds") from None
    if done.returncode:
        raise ValueError("reading it failed: it is damaged, or it needs too much memory")
    if done.stdout.startswith(_REFUSED):
        raise ValueError(done.stdout[1:].decode())
    return from_bytes(done.stdout)


def main(kind: str) -> None:
    """Read one file from standard input."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a package prints is no part of the answer
    module, package = _READERS[kind]
    importlib.import_module(package)
    reader = importlib.import_module(f"core.networks.foreign.{module}")
    content = sys.stdin.buffer.read()
    _limit_this_process()
    try:
        result = to_bytes(reader.read(content))
    except ValueError as error:
        result = _REFUSED + str(error).encode("utf-8", "replace")
    with answer:
        answer.write(result)


def _limit_this_process() -> None:
    """Limit memory, processor time and written files, where the system has such limits."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {
        resource.RLIMIT_CPU: int(SECONDS),
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    with suppress(OSError, ValueError):  # Linux alone says how much is taken already
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + MORE_MEMORY
    for which, most in limits.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    main(sys.argv[1])
