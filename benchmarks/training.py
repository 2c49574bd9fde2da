"""The compiled loop trains the report's recipe, beside the PyTorch loop that tutorials write.

With `python -m benchmarks.training --full` the PyTorch loop is trained to its end too.
"""

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.measuring import print_machine, print_table, timed
from core.data import mnist
from core.data.torchvision_import import torchvision_datasets
from core.measures import accuracy
from core.networks import Single
from core.recipe import PRESETS, Recipe
from core.training import train

RECIPE = PRESETS["report"]
STRETCH = 3000


class PlainLoop:
    """The report's recipe as PyTorch tutorials write it."""

    def __init__(self, recipe: Recipe) -> None:
        datasets = torchvision_datasets()
        from torchvision import transforms  # passes only after the line above

        torch.manual_seed(recipe.seed)
        to_tensor = transforms.ToTensor()
        training = datasets.MNIST(mnist.ROOT, train=True, transform=to_tensor)
        test = datasets.MNIST(mnist.ROOT, train=False, transform=to_tensor)
        self.images = len(training)
        self.training_loader = torch.utils.data.DataLoader(
            training, batch_size=recipe.batch_size, shuffle=True
        )
        # Larger batches than in training make the plain loop faster.
        self.counting_loader = torch.utils.data.DataLoader(training, batch_size=1000)
        self.test_loader = torch.utils.data.DataLoader(test, batch_size=1000)
        first, second = recipe.hidden
        self.model = torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(784, first),
            torch.nn.ReLU(),
            torch.nn.Linear(first, second),
            torch.nn.ReLU(),
            torch.nn.Linear(second, 10),
        )
        self.loss = torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=recipe.learning_rate)

    def epoch(self) -> Iterator[float]:
        """Train on every image once; yield the running accuracy after each step."""
        running_loss, correct, seen = 0.0, 0, 0
        for images, labels in self.training_loader:
            self.optimizer.zero_grad()
            outputs = self.model(images)
            loss = self.loss(outputs, labels)
            loss.backward()
            self.optimizer.step()
            running_loss += loss.item()
            _, predicted = outputs.max(1)
            correct += (predicted == labels).sum().item()
            seen += labels.size(0)
            yield correct / seen

    def accuracy(self, loader: Any) -> float:
        """Return the share of a loader's images that are classified correctly."""
        correct, seen = 0, 0
        with torch.no_grad():
            for images, labels in loader:
                correct += (self.model(images).argmax(1) == labels).sum().item()
                seen += labels.size(0)
        return correct / seen


def main() -> None:
    """Train, time, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="train the PyTorch loop to its end")
    full = parser.parse_args().full

    training, test = mnist.load("train"), mnist.load("test")
    compile_seconds, _ = timed(lambda: _compile(training))
    plain = PlainLoop(RECIPE)
    endless = itertools.chain.from_iterable(plain.epoch() for _ in itertools.count())
    evaluation, _ = timed(lambda: plain.accuracy(plain.test_loader))

    ours = 0.0
    stretches = []
    reports = train(RECIPE, training, test, engine="compiled")
    for _ in range(RECIPE.epochs):
        seconds, report = timed(lambda: next(reports))
        ours += seconds
        stretches.append(timed(lambda: _take(endless, STRETCH))[0])
    steps = RECIPE.epochs * plain.images
    theirs = statistics.median(stretches) / STRETCH * steps + RECIPE.epochs * evaluation

    network = report.network
    rows = [
        _row("compiled loop, in full", ours, "1", network_accuracies(network, training, test), ""),
        _row(
            f"plain PyTorch loop, extrapolated from the median of {len(stretches)} stretches of "
            f"{STRETCH:,} steps between our epochs",
            theirs,
            f"{theirs / ours:.1f}",
            None,
            "at least 50",
        ),
    ]
    if full:
        seconds, accuracies = train_in_full()
        rows.append(
            _row(
                "plain PyTorch loop, in full (alone, afterwards)",
                seconds,
                f"{seconds / ours:.1f}",
                accuracies,
                "accuracies within 0.3 points",
            )
        )
    print_machine()
    print_table(["training", "seconds", "times ours", "train / test accuracy", "target"], rows)
    print(
        f"\n784-{'-'.join(map(str, RECIPE.hidden))}-10, SGD with learning rate "
        f"{RECIPE.learning_rate}, batch size {RECIPE.batch_size}, {RECIPE.epochs} epochs of "
        f"{plain.images:,} images, evaluated on the test images after each. Our loop was compiled "
        f"beforehand, or read from an earlier run's cache ({compile_seconds:.1f} s)."
    )


def train_in_full() -> tuple[float, tuple[float, float]]:
    """Train the plain loop for all epochs; return its seconds, train and test accuracy."""
    plain = PlainLoop(RECIPE)
    start = time.perf_counter()
    for epoch in range(1, RECIPE.epochs + 1):
        *_, running = plain.epoch()
        test_accuracy = plain.accuracy(plain.test_loader)
        progress = f"Epoch {epoch}: {running:.2%} while training, {test_accuracy:.2%} on test"
        print(progress, file=sys.stderr)
    seconds = time.perf_counter() - start
    return seconds, (plain.accuracy(plain.counting_loader), test_accuracy)


def network_accuracies(
    network: Single, training: mnist.Digits, test: mnist.Digits
) -> tuple[float, float]:
    """Return the train and the test accuracy of a network."""
    return accuracy(network, training.x, training.y), accuracy(network, test.x, test.y)


def _compile(training: mnist.Digits) -> None:
    """Compile the loop by training on a single image."""
    one = mnist.Digits(training.x[:1], training.y[:1])
    next(train(RECIPE, one, one, engine="compiled"))


def _take(steps: Iterator[float], count: int) -> None:
    for _ in itertools.islice(steps, count):
        pass


def _row(
    name: str, seconds: float, ratio: str, accuracies: tuple[float, float] | None, target: str
) -> list[str]:
    shown = "" if accuracies is None else " / ".join(f"{share:.2%}" for share in accuracies)
    return [name, f"{seconds:.1f}", ratio, shown, target]


if __name__ == "__main__":
    main()
