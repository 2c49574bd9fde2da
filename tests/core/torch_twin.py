"""The same network in torch: an oracle that shares no code with ours."""

import numpy as np
import torch

from core.networks.mlp import MLP


def torch_twin(network: MLP, *, dtype: torch.dtype = torch.float64) -> torch.nn.Sequential:
    """`network` as plain torch layers, in evaluation mode."""
    layers: list[torch.nn.Module] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        linear = torch.nn.Linear(weight.shape[0], weight.shape[1], dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(np.array(weight.T)))
            linear.bias.copy_(torch.tensor(np.array(bias)))
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).eval()
