"""An adapter that makes any PyTorch module a `Classifier`."""

from collections.abc import Callable

import numpy as np
import torch

from core.classifier import FloatArray


class TorchClassifier:
    """A PyTorch module that maps images to logits, for NumPy arrays.

    Args:
        module: the module in evaluation mode. Its parameters decide the dtype and the device. Any
            normalisation of the pixels is part of the module.
        image_shape: of one image as the module expects it, such as (1, 28, 28) for a
            convolutional network.

    Raises:
        ValueError: the module is in training mode, where dropout and batch statistics change the
            gradient from call to call.
    """

    def __init__(self, module: torch.nn.Module, *, image_shape: tuple[int, ...] = (784,)) -> None:
        if module.training:
            raise ValueError("module is in training mode; call module.eval() first")
        self._module = module
        self._image_shape = image_shape
        first = next(module.parameters(), torch.empty(0))
        self._device, self._dtype = first.device, first.dtype

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the scores before softmax: `(N, 784)` to `(N, 10)`."""
        with torch.no_grad():
            return _to_numpy(self._module(self._to_torch(x)))

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the logits, and the pull-back by torch's autograd (see `Classifier`)."""
        pixels = self._to_torch(x).requires_grad_()
        with torch.enable_grad():
            logits = self._module(pixels)

        def pull_back(cotangent: FloatArray) -> FloatArray:
            (gradient,) = torch.autograd.grad(
                logits, pixels, torch.tensor(cotangent).to(logits), retain_graph=True
            )
            return _to_numpy(gradient).reshape(x.shape)

        return _to_numpy(logits), pull_back

    def _to_torch(self, x: FloatArray) -> torch.Tensor:
        pixels = torch.tensor(np.asarray(x), dtype=self._dtype, device=self._device)
        return pixels.reshape(len(x), *self._image_shape)


def _to_numpy(tensor: torch.Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().cpu().numpy()
    return array
