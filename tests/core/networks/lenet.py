"""A small convolutional network for tests, with random weights; in torch, an oracle for it."""

import numpy as np
import torch

from core.classifier import FloatArray
from core.networks.layers import Activation, Affine, AveragePooling, Convolution, Layer, MaxPooling
from core.networks.sequential import Sequential


def lenet(
    *, pooling: type = MaxPooling, function: str = "relu", seed: int = 0, dtype: type = np.float32
) -> Sequential:
    """LeCun and others' network of 1998, with one of our kinds of pooling and activations."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int, inputs: int) -> FloatArray:
        values: FloatArray = (rng.normal(size=shape) / np.sqrt(inputs)).astype(dtype)
        return values

    layers: list[Layer] = []
    for channels, outputs, padding in ((1, 6, 2), (6, 16, 0)):
        inputs = 25 * channels
        weight = draw(outputs, channels, 5, 5, inputs=inputs)
        layers += [
            Convolution(weight, draw(outputs, inputs=inputs), padding=padding),
            Activation(function),
            pooling(2, 2),
        ]
    for inputs, outputs in ((400, 120), (120, 84), (84, 10)):
        layers.append(Affine(draw(inputs, outputs, inputs=inputs), draw(outputs, inputs=inputs)))
        layers.append(Activation(function))
    return Sequential(tuple(layers[:-1]))


def torch_lenet(network: Sequential) -> torch.nn.Sequential:
    """The same in torch, from images `(N, 784)`."""
    kinds: dict[type, torch.nn.Module] = {
        MaxPooling: torch.nn.MaxPool2d(2),
        AveragePooling: torch.nn.AvgPool2d(2),
    }
    functions: dict[str, torch.nn.Module] = {
        "relu": torch.nn.ReLU(),
        "tanh": torch.nn.Tanh(),
        "sigmoid": torch.nn.Sigmoid(),
    }
    modules: list[torch.nn.Module] = [torch.nn.Unflatten(1, (1, 28, 28))]
    for layer in network.layers:
        if isinstance(layer, Convolution):
            outputs, channels, *_ = layer.weight.shape
            module: torch.nn.Module = torch.nn.Conv2d(channels, outputs, 5, padding=layer.padding)
            weight = layer.weight
        elif isinstance(layer, Affine):
            if layer.weight.shape[0] == 400:
                modules.append(torch.nn.Flatten())
            module, weight = torch.nn.Linear(*layer.weight.shape), layer.weight.T
        elif isinstance(layer, Activation):
            modules.append(functions[layer.function])
            continue
        else:
            modules.append(kinds[type(layer)])
            continue
        wide = torch.tensor(np.array(weight))
        module.to(wide.dtype).load_state_dict(
            {"weight": wide, "bias": torch.tensor(np.array(layer.bias))}
        )
        modules.append(module)
    return torch.nn.Sequential(*modules).eval()
