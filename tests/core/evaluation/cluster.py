"""A real Dask cluster for a test: its scheduler and its workers, each a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Cluster:
    """Its scheduler's address, and its processes."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def cluster(folder: Path, *, workers: int) -> Iterator[Cluster]:
    """Start a cluster as docs/deploy.md says, on this machine alone; end it at last.

    Raises:
        RuntimeError: the scheduler has ended at once.
    """
    found = folder / "scheduler.json"
    with ExitStack() as at_last:

        def start(kind: str, *settings: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "dask", kind, *settings, "--host=127.0.0.1"]
            command += [f"--scheduler-file={found}", "--no-dashboard"]
            with (folder / "log").open("ab") as log:
                process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            at_last.enter_context(process)
            at_last.callback(process.kill)
            return process

        scheduler = start("scheduler", "--port=0")
        while not (address := _address(found)):
            if scheduler.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.1)
        settings = ["--no-nanny", "--nthreads=1", f"--local-directory={folder}"]
        yield Cluster(address, scheduler, [start("worker", *settings) for _ in range(workers)])


def _address(found: Path) -> str:
    try:
        return str(json.loads(found.read_text())["address"])
    except (OSError, ValueError):  # not yet written, or not to its end
        return ""
