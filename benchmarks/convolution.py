"""A convolutional network in NumPy beside the same network in PyTorch.

What is measured is what an attack needs of a network: the logits, and with them the gradient at the
pixels. Both run on one core, in turn. The network is the shipped one of LeNet-5's size; the
perceptron of the course report stands beside it.
"""

import numpy as np
import torch

from benchmarks.attacks import torch_module
from benchmarks.measuring import medians_in_turn, print_machine, print_table
from core.batches import one_thread_a_product
from core.classifier import FloatArray
from core.data import mnist
from core.networks import LIBRARY, Network

NETWORKS = ("convolutional", "report")
IMAGES = (1, 32, 256, 1000)
ROUNDS = 15
MOST_TIMES = 2
HEADER = ["network", "images", "what", "ours, ms", "PyTorch, ms", "ours / PyTorch"]


def main() -> None:
    """Measure and print the table."""
    test = mnist.load("test")
    torch.set_num_threads(1)
    print_machine()
    rows = []
    with one_thread_a_product:
        for name in NETWORKS:
            network = LIBRARY.load(name)[0]
            for images in IMAGES:
                rows += measured(name, network, test.x[:images])
    print_table(HEADER, rows)
    print(
        f"\nMedians of {ROUNDS} rounds, float32, one thread. The goal for the convolutional "
        f"network is at most {MOST_TIMES} times PyTorch's time."
    )


def measured(name: str, network: Network, x: FloatArray) -> list[list[str]]:
    """Return the table's rows for some images."""
    module, pixels = torch_module(network), torch.tensor(x)
    cotangent = np.ones((len(x), 10), np.float32)

    def ours() -> FloatArray:
        _, pull_back = network.vjp(x)
        return pull_back(cotangent)

    def theirs() -> FloatArray:
        leaf = pixels.clone().requires_grad_()
        module(leaf).backward(torch.tensor(cotangent))
        assert leaf.grad is not None
        return leaf.grad.numpy()

    def their_logits() -> FloatArray:
        with torch.no_grad():
            found: FloatArray = module(pixels).numpy()
        return found

    np.testing.assert_allclose(ours(), theirs(), rtol=0, atol=1e-4 * np.abs(theirs()).max())
    found = []
    for what, own, other in (
        ("logits", lambda: network.logits(x), their_logits),
        ("logits and gradient", ours, theirs),
    ):
        seconds = medians_in_turn({"ours": own, "theirs": other}, ROUNDS)
        ratio = seconds["ours"] / seconds["theirs"]
        times = [f"{1000 * seconds[each]:.2f}" for each in ("ours", "theirs")]
        found.append([name, f"{len(x):,}", what, *times, f"{ratio:.2f}"])
    return found


if __name__ == "__main__":
    main()
