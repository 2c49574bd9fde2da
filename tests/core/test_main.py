import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.__main__ import main
from core.data import mnist
from core.data.mnist import Digits
from core.evaluation import executors, replication, robustness, seeds
from core.networks import Library, Sequential, exchange, load_file
from core.networks.mlp import MLP
from tests.core.networks.foreign.fitted import convolutional
from tests.core.networks.foreign.samples import saved

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.thorough
@pytest.mark.training
def test_seeds_are_trained_measured_and_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    test_digits: Digits,
) -> None:
    few = Digits(test_digits.x[:300], test_digits.y[:300])
    monkeypatch.setattr(mnist, "load", lambda split: few)
    monkeypatch.setattr(seeds, "SEEDS", range(2))
    monkeypatch.setattr(seeds, "PATH", tmp_path / "seeds.json")
    for _ in range(2):  # the second time, the file knows them
        assert main(["seeds"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert [line.partition(":")[0] for line in said[:2]] == ["seed 0", "seed 1"]
        assert said[2].startswith("2 networks")
    assert len(robustness.read_cache(seeds.PATH)) == 2


@pytest.mark.thorough
@pytest.mark.training
def test_training_prints_the_report_s_log_and_saves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.safetensors"
    arguments = ["train", "report", "--set", "epochs=2", "--set", "hidden=16", "--out", str(out)]
    assert main([*arguments, "--set", "learning_rate=0.02", "--set", "seed=4"]) == 0
    said = capsys.readouterr().out
    number = r"\d\.\d{4}"
    for epoch in (1, 2):
        for part in ("Train", "Validation"):
            line = rf"Epoch \[{epoch}/2\], {part} Loss: {number}, {part} Accuracy: {number}\n"
            assert re.search(line, said)
    assert re.search(r"Test accuracy: +9\d\.\d\d%", said)
    assert "bit for bit" in said
    network, card = load_file(out)
    assert isinstance(network, MLP)
    assert network.sizes == (784, 16, 10)
    assert card.epochs_trained == 2
    assert card.recipe is not None
    assert (card.recipe.learning_rate, card.recipe.seed) == (0.02, 4)
    assert 0.9 < card.train_accuracy < 1
    assert "learned nothing" not in said


@pytest.mark.training
def test_a_training_that_has_learned_nothing_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["--set", "training_images=500", "--set", "learning_rate=2", "--set", "epochs=2"]
    assert main(["train", "report", *changes, "--out", str(tmp_path / "none.safetensors")]) == 0
    assert "learned nothing" in capsys.readouterr().out


@pytest.mark.thorough
@pytest.mark.training
def test_ctrl_c_keeps_the_best_epoch_so_far(tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    command = [sys.executable, "-u", "-m", "core", "train", "report", "--set", "epochs=1000"]
    with subprocess.Popen(
        [*command, "--out", out],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # The tests may run where Ctrl-C is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += "Validation Loss" in line
            if seen == 3:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert process.returncode == 0
    kept = re.search(r"keeping epoch (\d+), the best so far", rest)
    assert kept
    card = load_file(out)[1]
    assert card.epochs_trained == int(kept[1])
    assert card.validation_accuracy > 0.95
    assert [file.name for file in tmp_path.iterdir()] == ["mine.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "epoch=3"], "'epoch' is not one of convolutions, hidden, epochs"),
        (["--set", "epochs=many"], "'many' is not a value for epochs"),
        (["--set", "epochs=0"], "epochs must be a whole number of at least 1"),
        (["--set", "batch_size=2", "--engine", "compiled"], "compiled.* is for plain SGD"),
        (["--out", "/proc/none/x.safetensors"], "/proc/none/x.safetensors can't be written"),
        (["--out", "/"], "/ is a folder"),
    ],
)
def test_what_can_t_be_done_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "report", *arguments]) == 1
    printed = capsys.readouterr()
    assert re.search(said, printed.err)
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("ending", [".pt", ".onnx"])
def test_a_network_is_written_for_other_programs(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"mine{ending}"
    assert main(["convert", "report", str(out)]) == 0
    write = {".pt": exchange.to_state_dict, ".onnx": exchange.to_onnx}[ending]
    assert out.read_bytes() == write(load_file(ROOT / "models/report.safetensors")[0])
    assert ("load_state_dict" in capsys.readouterr().out) == (ending == ".pt")


def test_a_network_is_not_written_for_unknown_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "report", str(tmp_path / "mine.h5")]) == 1
    assert "must end in .pt, for PyTorch, or in .onnx" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_network_of_another_program_is_imported(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, shipped = load_file(ROOT / "models/report.safetensors")
    for file, content in (
        ("theirs.pt", exchange.to_state_dict(network)),
        ("theirs.onnx", exchange.to_onnx(network)),
    ):
        (tmp_path / file).write_bytes(content)
    assert main(["import", str(tmp_path / "theirs.pt")]) == 0
    said = capsys.readouterr().out
    assert "784-128-64-10" in said and "--input mnist" in said and "theirs.safetensors" in said
    name = ["--name", "Other", "--input", "mnist"]
    assert main(["import", str(tmp_path / "theirs.onnx"), *name]) == 0
    accuracies = [library.load(each)[1].test_accuracy for each in ("theirs", "Other")]
    assert accuracies[0] == shipped.test_accuracy > accuracies[1] > 0.9
    assert all(library.load(each)[1].recipe is None for each in ("theirs", "Other"))


@pytest.mark.thorough
def test_layers_of_another_program_can_be_chosen(
    training_digits: Digits,
    library: Library,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "lenet.pt"
    file.write_bytes(saved(convolutional(training_digits).state_dict()))
    assert main(["import", str(file)]) == 0
    said = capsys.readouterr().out
    assert "padding 2 and 0, max pooling 2" in said and "--layers 2 would be" in said
    assert main(["import", str(file), "--name", "Other", "--layers", "2"]) == 0
    best, other = (library.load(each)[0] for each in ("lenet", "Other"))
    assert isinstance(best, Sequential) and isinstance(other, Sequential)
    assert best.outline != other.outline
    assert main(["import", str(file), "--layers", "99"]) == 1
    assert "--layers must be 1 to" in capsys.readouterr().err


def test_our_own_file_is_imported_as_it_is(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(ROOT / "models/report.safetensors")
    assert main(["import", file, "--name", "Same"]) == 0
    assert library.load("Same")[1] == load_file(Path(file))[1]
    assert main(["import", file, "--name", "Same", "--layers", "2"]) == 1
    assert main(["import", file, "--name", "Same", "--input", "raw"]) == 1
    assert "--input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"), [(b"words", "a text"), (None, "no such file"), (b"", "empty")]
)
def test_what_can_t_be_imported_is_one_sentence(
    content: bytes | None,
    said: str,
    library: Library,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if content is not None:
        (tmp_path / "x.pt").write_bytes(content)
    assert main(["import", str(tmp_path / "x.pt")]) == 1
    printed = capsys.readouterr().err
    assert re.fullmatch(rf"error: x\.pt can't be used: .*{said}.*\n", printed)
    assert not library.names()


def test_damaged_data_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(split: str) -> None:
        mnist.unpack(root=tmp_path)

    monkeypatch.setattr("urllib.request.urlopen", lambda *_: (_ for _ in ()).throw(OSError("off")))
    monkeypatch.setattr(mnist, "load", fail)
    assert main(["data"]) == 1
    assert capsys.readouterr().err.startswith("error: MNIST's files in ")


def test_data_says_what_is_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data"]) == 0
    assert capsys.readouterr().out == (
        "60,000 train images are in place.\n10,000 test images are in place.\n"
    )


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"report +2\d{3}-\d\d-\d\d +109,386 numbers  test accuracy 9\d\.\d\d%  shipped", first
    )


def test_what_is_measured_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unmeasured(*_: object, **__: object) -> None:
        pytest.fail("a shipped network is not measured: python -m core measure")

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", unmeasured)
    caches = (robustness.CACHE, replication.CACHE)
    before = [cache.read_bytes() for cache in caches]
    assert main(["measure"]) == 0
    assert [cache.read_bytes() for cache in caches] == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--executor", "ray"], "processes, dask, not 'ray'"),
        (["--workers", "0"], "workers must be 1 to 61"),
        (["--scheduler", "tcp://127.0.0.1:1"], "dask only"),
        (["--executor", "dask"], "needs its scheduler's address"),
        (["--executor", "dask", "--scheduler", "x", "--workers", "2"], "not here"),
        (["--executor", "dask", "--scheduler", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1"),
    ],
)
def test_an_executor_that_can_t_be_used_is_one_sentence(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(executors, "SECONDS_TO_CONNECT", 0.1)  # nothing listens there
    assert main(["measure", *arguments]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and said in printed
    assert printed.count("\n") == 1


# Measures all shipped networks anew, into a folder of its own.
MEASURE = """
import sys
from pathlib import Path
from core.__main__ import main
from core.evaluation import replication, robustness
if __name__ == "__main__":
    robustness.CACHE = Path(sys.argv[1], "robustness.json")
    replication.CACHE = Path(sys.argv[1], "replication.json")
    sys.exit(main(["measure", "--workers", "2"]))
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_when_a_sweep_ends_its_workers_end(end: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stderr is not None
        said = b""
        while not re.search(rb"\| [1-9][\d.]*k?/", said):  # so much is done
            more = os.read(process.stderr.fileno(), 1000)
            assert more, said
            said += more
        if end == signal.SIGINT:
            os.killpg(process.pid, end)  # a terminal sends Ctrl-C to all of its processes
        else:
            process.send_signal(end)
        said += process.stderr.read()  # to the end of all processes that could write there
    if end == signal.SIGINT:
        assert process.returncode == 1
        assert said.endswith(b"stopped\n")
        assert b"Traceback" not in said
    assert (tmp_path / "robustness.json").is_file()


@pytest.mark.thorough
@pytest.mark.training
def test_a_changed_recipe_does_not_replace_what_is_shipped(
    library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = ["--set", "epochs=1", "--set", "training_images=500", "--set", "flip=true"]
    assert main(["train", "report", *tiny]) == 0
    assert main(["train", "report", *tiny, "--name", "mine"]) == 0
    assert library.names() == ["mine", "report changed"]
    assert main(["train", "report", *tiny, "--name", "a/b"]) == 1
    assert "name" in capsys.readouterr().err


@pytest.mark.training
def test_a_network_is_trained_on_folders_of_pictures(
    tmp_path: Path,
    test_digits: Digits,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as small:
        few = Digits(test_digits.x[:300], test_digits.y[:300])
        small.setattr(mnist, "load", lambda split: few)
        assert main(["export", str(tmp_path / "digits")]) == 0
    out = tmp_path / "mine.safetensors"
    arguments = ["train", "report", "--data", str(tmp_path / "digits"), "--out", str(out)]
    assert main(arguments) == 0
    assert load_file(out)[1].train_accuracy > 0.9
    assert main(["train", "report", "--data", str(tmp_path / "none"), "--out", str(out)]) == 1
    assert "none" in capsys.readouterr().err
