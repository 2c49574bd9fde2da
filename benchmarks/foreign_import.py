"""Bringing a network along: from a file of 10 MB to its accuracy on 1,000 training images.

A perceptron and a convolutional network, each as PyTorch, safetensors and ONNX write it. Beside
each stands a program that knows how the network is built and how it reads pixels: it loads the file
with torch or onnxruntime and measures the same accuracy. This program has to find out, and reads
PyTorch and ONNX in a process with limits. Each runs in a fresh process, as `python -m core import`.
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

from benchmarks.measuring import cpu_timed, print_machine, print_table
from core.data import mnist
from core.evaluation.imported import TRIED
from core.networks.foreign import PIXELS

ROUNDS = 5
ROOT = Path(__file__).parent.parent
FITTED = 4000  # training images
PREPARED = "mnist"
START = f"""
import sys
import numpy as np
from core.data import mnist
train = mnist.load("train")
x, y = train.x[:{TRIED}], train.y[:{TRIED}]
"""
OURS = """
from pathlib import Path
from core.evaluation.imported import choices
from core.networks.foreign import read, read_file
path = Path(sys.argv[1])
best = choices(read(read_file(path), path.name), train, mnist.load("test"), path.name)[0]
print(best.accuracy)
"""
PEERS = {
    "pt": "state = torch.load(sys.argv[1], weights_only=True)",
    "safetensors": "import safetensors.torch; state = safetensors.torch.load_file(sys.argv[1])",
}
WITH_TORCH = """
import torch
from benchmarks.foreign_import import BUILD
{load}
module = BUILD["{name}"]()
module.load_state_dict(state)
with torch.no_grad():
    logits = module.eval()(torch.from_numpy((x - 0.1307) / 0.3081)).numpy()
print((logits.argmax(axis=1) == y).mean())
"""
WITH_ONNXRUNTIME = """
import onnxruntime
onnxruntime.set_default_logger_severity(3)  # of shapes that the file says too narrowly
session = onnxruntime.InferenceSession(sys.argv[1])
(logits,) = session.run(None, {{"x": (x - np.float32(0.1307)) / np.float32(0.3081)}})
print((logits.argmax(axis=1) == y).mean())
"""


def perceptron() -> nn.Sequential:
    """Return a perceptron of 2.5 million weights."""
    return nn.Sequential(
        nn.Linear(784, 1500), nn.ReLU(), nn.Linear(1500, 900), nn.ReLU(), nn.Linear(900, 10)
    )


def convolutional() -> nn.Sequential:
    """Return a convolutional network of 2.5 million weights."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(1568, 1600), nn.ReLU(), nn.Linear(1600, 10)),
    )


BUILD: Mapping[str, Callable[[], nn.Sequential]] = {
    "perceptron": perceptron,
    "convolutional": convolutional,
}


def main() -> None:
    """Write the files, measure, and print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in BUILD:
            files = written(name, Path(folder))
            for suffix, file in files.items():
                rows.append(row(name, suffix, file))
    print_machine()
    print_table(
        ["", "file", "CPU seconds", "the peer's", "ratio", "accuracy", "the peer's"],
        rows,
    )
    print(
        f"\nMedians of {ROUNDS} rounds in turn, one thread. Start of Python, imports and reading "
        f"MNIST included. The accuracy is that of the first {TRIED:,} training images, which a "
        "program that guessed wrong would miss."
    )


def row(name: str, suffix: str, file: Path) -> list[str]:
    """Measure one file."""
    peer = WITH_ONNXRUNTIME if suffix == "onnx" else WITH_TORCH
    peer = peer.format(load=PEERS.get(suffix, ""), name=name)
    seconds: dict[str, list[float]] = {OURS: [], peer: []}
    accuracies = {}
    for _ in range(ROUNDS):
        for code, times in seconds.items():
            took, accuracies[code] = cpu_timed(lambda code=code: run(code, file))  # type: ignore[misc]
            times.append(took)
    ours, theirs = (statistics.median(times) for times in seconds.values())
    return [
        name,
        f".{suffix}, {file.stat().st_size / 1e6:.1f} MB",
        f"{ours:.2f}",
        f"{theirs:.2f}",
        f"{ours / theirs:.2f}",
        *(f"{accuracy:.1%}" for accuracy in accuracies.values()),
    ]


def run(code: str, file: Path) -> float:
    """Run lines in a fresh process and return the accuracy that they print."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", START + code, str(file)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def written(name: str, folder: Path) -> dict[str, Path]:
    """Write a network in three formats; return the files by their endings."""
    module = fitted(BUILD[name]())
    files = {suffix: folder / f"{name}.{suffix}" for suffix in ("pt", "safetensors", "onnx")}
    torch.save(module.state_dict(), files["pt"])
    safetensors.torch.save_file(module.state_dict(), files["safetensors"])
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter is a package of its own
        torch.onnx.export(
            module, (torch.zeros(2, 784),), buffer,  # type: ignore[arg-type]
            dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}},
        )  # fmt: skip
    files["onnx"].write_bytes(buffer.getvalue())
    return files


def fitted(module: nn.Sequential) -> nn.Sequential:
    """Fit the last layer to the training labels by least squares; the others stay random."""
    torch.manual_seed(0)
    for layer in module:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    train = mnist.load("train")
    x = PIXELS[PREPARED].prepared(train.x[:FITTED])
    with torch.no_grad():
        features = module[:-1](torch.from_numpy(x)).double().numpy()
    wide = np.column_stack([features / features.std(), np.ones(FITTED)])
    targets = np.where(np.arange(10) == train.y[:FITTED, None], 5.0, -5.0)
    solved = np.linalg.solve(wide.T @ wide + 10 * np.eye(wide.shape[1]), wide.T @ targets)
    last = {"weight": solved[:-1].T / features.std(), "bias": solved[-1]}
    module[-1].load_state_dict({key: torch.from_numpy(each) for key, each in last.items()})
    return module.eval()


if __name__ == "__main__":
    main()
