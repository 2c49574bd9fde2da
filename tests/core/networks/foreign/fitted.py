"""Networks of torch that classify digits without training: random features, a fitted last layer."""

import numpy as np
import torch
from torch import nn

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.networks.foreign import PIXELS

IMAGES = 2500


def fitted(*layers: nn.Module, digits: Digits, pixels: str = "raw") -> nn.Sequential:
    """Return the layers with a last one that least squares fit to the digits' labels.

    Args:
        layers: from images `(N, 1, 28, 28)` to features `(N, units)`, with random weights.
        digits: images to fit to, the first `IMAGES`.
        pixels: the key of the network's input.
    """
    body = nn.Sequential(*layers).eval()
    x = PIXELS[pixels].prepared(digits.x[:IMAGES])
    with torch.no_grad():
        features = body(torch.from_numpy(x).view(-1, 1, 28, 28)).double().numpy()
    mean, deviation = features.mean(axis=0), features.std() + 1e-9
    wide = np.column_stack([(features - mean) / deviation, np.ones(IMAGES)])
    gram = wide.T @ wide + 0.1 * np.eye(wide.shape[1])
    targets = np.where(np.arange(10) == digits.y[:IMAGES, None], 5.0, -5.0)
    solved = np.linalg.solve(gram, wide.T @ targets)
    weight: FloatArray = solved[:-1] / deviation
    last = nn.Linear(len(weight), 10)
    state = {"weight": weight.T, "bias": solved[-1] - mean @ weight}
    last.load_state_dict({name: torch.from_numpy(each) for name, each in state.items()})
    return nn.Sequential(*body, last).eval()


def convolutional(digits: Digits, *, kind: str = "max", pixels: str = "raw") -> nn.Sequential:
    """Return two convolutions, each with pooling of a kind, and one fitted affine layer.

    After max pooling there is ReLU, after average pooling tanh, as in LeNet-5.
    """
    torch.manual_seed(0)
    act, pool = (nn.ReLU, nn.MaxPool2d) if kind == "max" else (nn.Tanh, nn.AvgPool2d)
    return fitted(
        nn.Conv2d(1, 6, 5, padding=2), act(), pool(2), nn.Conv2d(6, 16, 5), act(), pool(2),
        nn.Flatten(), digits=digits, pixels=pixels,
    )  # fmt: skip
