"""Three networks that plain PyTorch trained, of other architectures than the shipped ones.

They keep attacks from being tuned to one network. A network is trained when it is first asked for,
in a minute or two, and kept in benchmarks/.cache, which git ignores.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from core import files
from core.data import mnist
from core.data.mnist import Digits

CACHE = Path(__file__).parent / ".cache"
BATCH_SIZE = 128
SEED = 0

# Of MNIST's training pixels. The networks take pixels in [0, 1] and standardise them themselves.
MEAN, DEVIATION = 0.1307, 0.3081

MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Foreign:
    """A network and how to train it.

    Attributes:
        description: of both, in words.
        build: returns the untrained layers, `(N, 784)` standardised pixels to `(N, 10)` logits.
        optimizer: returns the optimiser of the parameters.
        epochs: of all training images in batches of `BATCH_SIZE`.
    """

    description: str
    build: Callable[[], list[nn.Module]]
    optimizer: MakeOptimizer
    epochs: int


class Standardised(nn.Module):
    """Pixels to zero mean and unit variance."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the standardised pixels, in the shape of `x`."""
        return (x - MEAN) / DEVIATION


def wide() -> list[nn.Module]:
    """Return a wide perceptron with tanh, which saturates and has no kinks."""
    return [
        nn.Linear(784, 1024),
        nn.Tanh(),
        nn.Linear(1024, 512),
        nn.Tanh(),
        nn.Linear(512, 10),
    ]


def deep() -> list[nn.Module]:
    """Return a deep, narrow perceptron with batch normalisation."""
    layers: list[nn.Module] = []
    width = 784
    for _ in range(6):
        layers += [nn.Linear(width, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU()]
        width = 64
    return [*layers, nn.Linear(width, 10)]


def convolutional() -> list[nn.Module]:
    """Return a small convolutional network with dropout."""
    return [
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(32 * 7 * 7, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    ]


FOREIGN: Mapping[str, Foreign] = {
    "wide": Foreign(
        "784-1024-512-10, tanh, Adam, learning rate 0.001",
        wide,
        lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        epochs=5,
    ),
    "deep": Foreign(
        "784, six layers of 64 with batch normalisation and ReLU, 10; momentum 0.9, learning rate "
        "0.05, weight decay 0.0005",
        deep,
        lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=5e-4),
        epochs=8,
    ),
    "convolutional": Foreign(
        "two layers of 16 and 32 kernels of 3 × 3, each with ReLU and max-pooling, 128, 10, "
        "dropout of 0.25 and 0.5; AdamW, learning rate 0.001",
        convolutional,
        lambda parameters: torch.optim.AdamW(parameters, lr=1e-3),
        epochs=3,
    ),
}


def load(name: str) -> nn.Module:
    """Return a network of `FOREIGN` in evaluation mode; train it if it is not in the cache.

    The name of its file has a digest of this file: a change here trains anew.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    path = CACHE / f"{name}-{digest}.safetensors"
    if path.exists():
        module = untrained(FOREIGN[name])
        module.load_state_dict(safetensors.torch.load_file(path))
    else:
        module = train(FOREIGN[name], mnist.load("train"))
        files.write(path, safetensors.torch.save(module.state_dict()))
    return module.eval().requires_grad_(False)


def untrained(foreign: Foreign) -> nn.Module:
    """Return the network before training: `(N, 784)` pixels in [0, 1] to `(N, 10)` logits."""
    return nn.Sequential(Standardised(), *foreign.build())


def train(foreign: Foreign, digits: Digits) -> nn.Module:
    """Return the network after training on some digits; `SEED` decides all that is random."""
    x, y = torch.tensor(digits.x), torch.tensor(digits.y)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        module = untrained(foreign).train()
        optimizer = foreign.optimizer(module.parameters())
        for _ in range(foreign.epochs):
            for rows in torch.randperm(len(x)).split(BATCH_SIZE):
                optimizer.zero_grad()
                nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
                optimizer.step()
    return module
