import asyncio
import os
import signal
import socket
import sys
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.data.mnist import Digits
from core.evaluation import executors, robustness, shipped, sweep
from core.evaluation.executors import ExecutorError
from core.evaluation.sweep import Stored, SweepError, Task
from core.networks import LIBRARY, Network, NetworkFileError, load_file, save_file
from core.presentation.course_report import findings
from tests.conftest import random_mlp
from tests.core.evaluation.cluster import cluster
from tests.core.networks.samples import CARD as SAMPLE
from tests.core.networks.samples import ENSEMBLE, NETWORK, RECIPE

CARD = replace(SAMPLE, recipe=replace(RECIPE, training_images=500))
FEW = 70  # test images, every digit among them
ATTACKED = FEW // robustness.ONE_IN
NETWORKS: dict[str, Network] = {
    "one": NETWORK,
    "two": random_mlp((784, 10), seed=2, dtype=np.float32),
    "3": ENSEMBLE,
}
HELD = Task(time.sleep, (3600,), 1)  # ends with its worker
DONE = Task(abs, (-7,), 1)


class Stopped(Exception):
    """Raised to stop a sweep."""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The networks' files."""
    paths = {name: tmp_path / f"{name}.safetensors" for name in NETWORKS}
    for name, path in paths.items():
        save_file(path, NETWORKS[name], CARD)
    return paths


def swept(
    executor: Executor, files: dict[str, Path], folder: Path, told: list[int]
) -> tuple[bytes, bytes]:
    """Return the two files of figures that a sweep writes."""
    folder.mkdir()
    one, two = folder / "robustness.json", folder / "replication.json"
    robustness.measure_files(files, executor, path=one, images=FEW, on_progress=told.append)
    assert sum(told) == robustness.PASSES * ATTACKED * len(files)
    findings.measure_files(files, executor, path=two, images=FEW, on_progress=told.append)
    return one.read_bytes(), two.read_bytes()


@pytest.mark.thorough
def test_figures_are_the_same_byte_for_byte_on_every_executor(
    tmp_path: Path,
    files: dict[str, Path],
    test_digits: Digits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.evaluation.robustness.BATCH", 3)  # images of a task
    here = tmp_path / "here.json"
    few = Digits(test_digits.x[:FEW], test_digits.y[:FEW])
    robustness.write_cache(NETWORKS, few, path=here)
    with ThreadPoolExecutor(1) as executor:
        expected = swept(executor, files, tmp_path / "thread", [])
    assert expected[0] == here.read_bytes()
    assert set(shipped.read(tmp_path / "thread/replication.json", dict)) == {
        findings._key(network, CARD) for network in NETWORKS.values()
    }
    told: list[int] = []
    with executors.processes(2) as executor:
        assert swept(executor, files, tmp_path / "processes", told) == expected
    assert len(told) == len(files) * (1 + 3) + len(files)  # each task as it is done
    with (
        cluster(tmp_path, workers=2) as dask,
        executors.by_name("dask", scheduler=dask.address) as executor,
    ):
        assert swept(executor, files, tmp_path / "dask", []) == expected


def test_what_was_done_before_a_stop_is_kept_and_not_done_again(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    path = tmp_path / "robustness.json"
    done = 0

    def stop_within_the_second(images: int) -> None:
        nonlocal done
        done += images
        if done > robustness.PASSES * ATTACKED:
            raise Stopped

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(Stopped):
            robustness.measure_files(
                files, executor, path=path, images=FEW, on_progress=stop_within_the_second
            )
        assert set(robustness.read_cache(path)) == {robustness.digest(NETWORKS["one"])}
        told: list[int] = []
        robustness.measure_files(files, executor, path=path, images=FEW, on_progress=told.append)
    assert told[0] == robustness.PASSES * ATTACKED
    assert sum(told) == 3 * robustness.PASSES * ATTACKED


def test_a_file_that_can_t_be_written_is_known_before_anything_is_measured(
    files: dict[str, Path],
) -> None:
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(shipped.MeasuredFileError, match="written"),
    ):
        robustness.measure_files(
            files,
            executor,
            path=Path("/proc/none/robustness.json"),
            images=FEW,
            on_progress=lambda images: pytest.fail("it was measured"),
        )


def test_a_network_is_named_by_its_place_in_the_library_and_elsewhere_by_its_path(
    files: dict[str, Path],
) -> None:
    stored = Stored.at(LIBRARY.path("report"), robustness._key)
    assert stored.file == "report.safetensors"
    network, card = stored.load(robustness._key)
    assert robustness.digest(network) == stored.key
    assert card == load_file(LIBRARY.path("report"))[1]
    assert Path(Stored.at(files["one"], robustness._key).file) == files["one"].resolve()


def test_a_worker_with_another_network_measures_nothing(files: dict[str, Path]) -> None:
    stored = Stored.at(files["one"], robustness._key)
    save_file(files["one"], NETWORKS["two"], CARD)
    with pytest.raises(SweepError, match=r"one\.safetensors"):
        stored.load(robustness._key)
    assert Stored.at(files["one"], robustness._key).load(robustness._key)


def test_a_task_s_error_ends_the_sweep() -> None:
    missing = Task(robustness._clean_of, (Stored("none.safetensors", ""), FEW), 0)
    with (
        executors.processes(1) as executor,
        pytest.raises(NetworkFileError, match=r"none\.safetensors .*no such file"),
    ):
        list(sweep.results(executor, {"missing": [missing], "held": [DONE, HELD]}, print))


def test_a_worker_that_is_killed_ends_the_sweep() -> None:
    found = []
    with pytest.raises(ExecutorError, match="worker"), executors.processes(2) as executor:
        worker = executor.submit(os.getpid).result()
        for name, results in sweep.results(executor, {"done": [DONE], "held": [HELD]}, print):
            found.append((name, results))
            os.kill(worker, signal.SIGKILL)
    assert found == [("done", [7])]


@pytest.mark.thorough
def test_dask_gives_a_killed_worker_s_tasks_to_another_until_there_is_none(tmp_path: Path) -> None:
    with cluster(tmp_path, workers=2) as dask:
        with executors.dask(dask.address) as executor:
            pid = executor.submit(os.getpid).result()
            first, second = sorted(dask.workers, key=lambda worker: worker.pid != pid)
            found = []
            held = Task(_until_it_ends, (pid,), 1)
            for name, results in sweep.results(executor, {"done": [DONE], "held": [held]}, print):
                found.append((name, results))
                first.kill()
                first.wait()  # an ended process has its number until its parent has looked
            assert found == [("done", [7]), ("held", [second.pid])]
        with (
            pytest.raises(ExecutorError, match="no worker"),
            executors.dask(dask.address, patience=1) as executor,
        ):
            for _ in sweep.results(executor, {"done": [DONE], "held": [HELD]}, print):
                second.kill()


def _until_it_ends(worker: int) -> int:
    """Return this worker's process once another one has ended; never, in that one."""
    while True:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return os.getpid()
        time.sleep(0.1)


def test_a_scheduler_that_is_lost_ends_the_sweep(tmp_path: Path) -> None:
    with (
        cluster(tmp_path, workers=1) as dask,
        pytest.raises(ExecutorError, match="lost"),
        executors.dask(dask.address) as executor,
    ):
        for _ in sweep.results(executor, {"done": [DONE], "held": [HELD]}, print):
            dask.scheduler.kill()


def test_a_notebook_whose_loop_is_running_can_use_dask(tmp_path: Path) -> None:
    async def notebook() -> int:
        with cluster(tmp_path, workers=1) as dask, executors.dask(dask.address) as executor:
            return int(executor.submit(os.getpid).result())

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, notebook()).result() != os.getpid()


@pytest.mark.parametrize("scheduler", ["nowhere", "tcp://127.0.0.1:port", "ray://127.0.0.1:1"])
def test_an_address_that_is_none_is_a_sentence(scheduler: str) -> None:
    with pytest.raises(ExecutorError, match=scheduler), executors.dask(scheduler):
        pass


def test_what_listens_but_is_no_scheduler_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "SECONDS_TO_CONNECT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ExecutorError, match=address), executors.dask(address):
            pass


def test_dask_that_is_not_installed_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ExecutorError, match="pip install distributed"),
        executors.dask("tcp://127.0.0.1:1"),
    ):
        pass
