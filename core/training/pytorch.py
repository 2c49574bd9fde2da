"""Gradient descent in plain PyTorch, for whatever the compiled loop does not cover."""

import numpy as np
import torch

from core.classifier import FloatArray, IntArray
from core.mlp import MLP
from core.recipe import Recipe


class TorchEngine:
    """See `core.training.Engine`. Covers every recipe."""

    def __init__(self, start: MLP, recipe: Recipe) -> None:
        layers: list[torch.nn.Module] = []
        for weight, bias in zip(start.weights, start.biases, strict=True):
            if layers:
                layers.append(torch.nn.ReLU())
            linear = torch.nn.Linear(*weight.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight.T.copy()))
                linear.bias.copy_(torch.tensor(bias))
            layers.append(linear)
        self._model = torch.nn.Sequential(*layers)
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=recipe.learning_rate)
        self._batch_size = recipe.batch_size

    def run(self, x: FloatArray, y: IntArray, order: IntArray) -> tuple[float, int]:
        """Train on the images in the given order (see `Engine`)."""
        images = torch.tensor(x[order])
        labels = torch.tensor(y[order])
        loss_sum, correct = 0.0, 0
        for batch, wanted in zip(
            images.split(self._batch_size), labels.split(self._batch_size), strict=True
        ):
            logits = self._model(batch)
            loss = torch.nn.functional.cross_entropy(logits, wanted)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            loss_sum += loss.item() * len(batch)
            correct += int((logits.argmax(dim=1) == wanted).sum())
        return loss_sum, correct

    def network(self) -> MLP:
        """A copy of the network as it is now."""
        linears = [layer for layer in self._model if isinstance(layer, torch.nn.Linear)]
        return MLP(
            tuple(np.ascontiguousarray(layer.weight.detach().numpy().T) for layer in linears),
            tuple(layer.bias.detach().numpy() for layer in linears),
        )
