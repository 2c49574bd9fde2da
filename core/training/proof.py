"""Training for the proof: a loss over every image within ε, by interval bounds.

Gowal et al. 2018, "On the Effectiveness of Interval Bound Propagation for Training Verifiably
Robust Models", section 3. `core.bounds.interval` computes the same bounds for a proof, in NumPy and
with an allowance for rounding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Linear
from torch.nn.functional import cross_entropy, linear


def losses(
    linears: Sequence[Linear], x: Tensor, y: Tensor, epsilon: float, kappa: float
) -> tuple[Tensor, Tensor]:
    """Return the mean loss of a batch, and how many of its images are proved within ε.

    The loss is κ ℓ(z, y) + (1 − κ) ℓ(ẑ, y). Here ℓ is cross-entropy, and z are the logits of the
    images themselves. ẑ are the worst logits: how far each label can be above the true one.

    Args:
        linears: the affine layers, with ReLU between them.
        x: `(N, inputs)` pixels in [0, 1].
        y: `(N,)` labels.
        epsilon: the L∞ budget in pixel units.
        kappa: κ, in [0, 1].
    """
    worst = worst_logits(linears, x, y, epsilon)
    others = worst.detach().scatter(1, y[:, None], -torch.inf)
    proved = (others.amax(dim=1) < 0).sum()
    logits = x
    for layer in linears[:-1]:
        logits = layer(logits).relu()
    logits = linears[-1](logits)
    return kappa * cross_entropy(logits, y) + (1 - kappa) * cross_entropy(worst, y), proved


def worst_logits(linears: Sequence[Linear], x: Tensor, y: Tensor, epsilon: float) -> Tensor:
    """Return upper bounds of z_j − z_y over the images of [0, 1] within ε of each x.

    Each layer's inputs are taken as if they were independent, between a lower and an upper bound.
    The last layer gives differences of logits, so that what two of them have in common cancels
    ("elision of the last layer").

    Args:
        linears: the affine layers, with ReLU between them.
        x: `(N, inputs)` pixels in [0, 1].
        y: `(N,)` labels.
        epsilon: the L∞ budget in pixel units.

    Returns:
        `(N, labels)`; 0 at the true label.
    """
    lower, upper = (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)
    for layer in linears[:-1]:
        middle, radius = layer((lower + upper) / 2), linear((upper - lower) / 2, layer.weight.abs())
        lower, upper = (middle - radius).relu(), (middle + radius).relu()
    last = linears[-1]
    labels, units = last.weight.shape
    middle, radius = last((lower + upper) / 2), (upper - lower) / 2
    # Every pair of labels at once: fewer numbers than the pairs of every image.
    between = (last.weight[None] - last.weight[:, None]).abs().reshape(labels**2, units)
    reach = linear(radius, between).reshape(-1, labels, labels)
    reach = reach[torch.arange(len(y), device=y.device), y]
    worst: Tensor = middle - middle.gather(1, y[:, None]) + reach
    return worst
