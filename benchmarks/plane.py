"""Draw's map: what the network sees in 200 × 200 points of a plane through a digit.

Each point is an image of 784 pixels that must be made, checked and predicted. Beside it stand the
matrix products of the 40,000 predictions alone, on images that are there already.
"""

import numpy as np

from benchmarks.attacks import blas_kernels
from benchmarks.measuring import medians_in_turn, print_machine, print_table
from core import batches
from core.attacks import METHODS
from core.classifier import FloatArray
from core.data import mnist
from core.evaluation.path import follow
from core.evaluation.plane import Frame, look_at, outline_of, runner_up, towards_label
from core.networks import LIBRARY
from core.networks.mlp import MLP

EPSILON = 0.15
SIDE = 200
ROUNDS = 21


def main() -> None:
    """Measure and print the map, its outline, and the bare products."""
    network = LIBRARY.load("report")[0]
    assert isinstance(network, MLP)
    test = mnist.load("test")
    x, label = test.x[:1], int(test.y[0])
    path = follow(network, METHODS["bim"], x, label)
    x_adv = path.x_adv[METHODS["bim"].scale.budgets == EPSILON]
    other = runner_up(network, x, x_adv)
    third = towards_label(network, x, other, norm="linf", size=EPSILON)
    corners = np.stack([x[0], x_adv[0], third])
    frame = Frame.through(*corners)
    show, outline = frame.points(corners), outline_of(frame, "linf", EPSILON)
    images = np.resize(test.x, (SIDE * SIDE, test.x.shape[1]))
    ours, edge, products = "the map", "the outline of the ε-box", "bare matrix products"
    seconds = medians_in_turn(
        {
            ours: lambda: look_at(network, frame, show, outline=outline, side=SIDE),
            edge: lambda: outline_of(frame, "linf", EPSILON),
            products: lambda: bare_products(network, images),
        },
        ROUNDS,
    )
    targets = {ours: "at most 3 times the bare products", edge: "", products: ""}
    print_machine()
    print_table(
        ["", "ms", "times the products", "target"],
        [
            [name, f"{1000 * time:.1f}", f"{time / seconds[products]:.2f}", targets[name]]
            for name, time in seconds.items()
        ],
    )
    print(
        f"\n{SIDE} × {SIDE} points around the first test digit, BIM at ε = {EPSILON}, the report's "
        f"network. Medians of {ROUNDS} rounds in turn. NumPy multiplies with OpenBLAS's code for "
        f"{', '.join(sorted(blas_kernels()))}."
    )


def bare_products(network: MLP, images: FloatArray) -> None:
    """Compute the matrix products of the predictions, and nothing else."""

    def multiply(rows: slice) -> None:
        out = images[rows]
        for weight in network.weights:
            out = out @ weight

    batches.in_batches(multiply, len(images))


if __name__ == "__main__":
    main()
