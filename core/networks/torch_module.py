"""An adapter that makes any PyTorch module a `Classifier`."""

from collections.abc import Callable

import numpy as np
import torch

from core.classifier import FloatArray

IMAGE_SHAPES = ((784,), (1, 28, 28), (28, 28))  # tried in this order where none is given
_PRECISE = (torch.float32, torch.float64)


class TorchClassifier:
    """A PyTorch module that maps images to logits, for NumPy arrays.

    What a module does that would make an attack look weak is refused, now and in every later call:
    a part in training mode, half precision, a gradient that is none.

    Args:
        module: the module in evaluation mode. Its parameters decide the dtype and the device. Any
            normalisation of the pixels is part of the module. It returns `(N, labels)` logits, or a
            tuple in which they are the only tensor of two dimensions. A batch of one may come
            without its first dimension.
        image_shape: of one image as the module expects it; None for the first of `IMAGE_SHAPES`
            with which the module returns logits.

    Raises:
        ValueError: the module, or a part of it, is in training mode, where dropout and batch
            statistics change the gradient from call to call; it computes in half precision, where
            gradients vanish; or it returns no logits for images of that shape.
    """

    def __init__(
        self, module: torch.nn.Module, *, image_shape: tuple[int, ...] | None = None
    ) -> None:
        self._module = module
        first = next(module.parameters(), torch.empty(0))
        self._device, self._dtype = first.device, first.dtype
        for name, parameter in module.named_parameters():
            if parameter.is_floating_point():
                _check_precision(parameter, f"{name} of the module")
        self._check_mode()
        self._image_shape = self._accepted_shape() if image_shape is None else image_shape

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the scores before softmax: `(N, 784)` to `(N, 10)`; errors as in `vjp`."""
        with torch.no_grad():
            return _to_numpy(self._forward(self._to_torch(x, self._image_shape)))

    def vjp(self, x: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Return the logits, and the pull-back by torch's autograd (see `Classifier`).

        Raises:
            ValueError: as in the constructor, if the module has been changed since; or, from the
                pull-back too, the module has no gradient at the pixels, or one that is not finite.
        """
        pixels = self._to_torch(x, self._image_shape).requires_grad_()
        with torch.enable_grad():
            logits = self._forward(pixels)
        if not logits.requires_grad:
            raise ValueError(
                "the module has no gradient at the pixels: somewhere it detaches or rounds"
            )

        def pull_back(cotangent: FloatArray) -> FloatArray:
            (gradient,) = torch.autograd.grad(
                logits, pixels, torch.tensor(cotangent).to(logits), retain_graph=True
            )
            if not gradient.isfinite().all():
                raise ValueError(
                    "the module's gradient at the pixels is not finite: look for a root or a "
                    "logarithm of 0, or a division by 0"
                )
            return _to_numpy(gradient).reshape(x.shape)

        return _to_numpy(logits), pull_back

    def _to_torch(self, x: FloatArray, image_shape: tuple[int, ...]) -> torch.Tensor:
        pixels = torch.tensor(np.asarray(x), dtype=self._dtype, device=self._device)
        return pixels.reshape(len(x), *image_shape)

    def _check_mode(self) -> None:
        for name, part in self._module.named_modules():
            if part.training:
                which = f"its part {name!r}" if name else "the module"
                raise ValueError(f"{which} is in training mode; call module.eval() first")

    def _forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits, `(N, labels)`."""
        self._check_mode()
        return _logits_in(self._module(pixels), len(pixels))

    def _accepted_shape(self) -> tuple[int, ...]:
        """Return the first of `IMAGE_SHAPES` with which the module works."""
        for shape in IMAGE_SHAPES:
            try:
                with torch.no_grad():
                    self._forward(self._to_torch(np.zeros((2, 784)), shape))
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                problem = error
            else:
                return shape
        tried = ", ".join(map(str, IMAGE_SHAPES))
        raise ValueError(
            f"the module takes no images of the shapes {tried}; name its image_shape ({problem})"
        )


def _logits_in(output: object, images: int) -> torch.Tensor:
    """Return the logits, `(images, labels)`, in what a module returned."""
    tensors = output if isinstance(output, tuple | list) else (output,)
    found = []
    for each in tensors:
        if isinstance(each, torch.Tensor) and each.is_floating_point():
            rows = each[None] if images == 1 and each.dim() == 1 else each
            if rows.dim() == 2 and len(rows) == images and rows.shape[1] > 1:
                found.append(rows)
    if len(found) != 1:
        what = [tuple(each.shape) for each in tensors if isinstance(each, torch.Tensor)]
        raise ValueError(
            f"for {images} images the module must return logits of shape ({images}, labels), not "
            f"a {type(output).__name__} with tensors of shapes {what}"
        )
    _check_precision(found[0], "what the module returns")
    return found[0]


def _check_precision(tensor: torch.Tensor, what: str) -> None:
    if tensor.dtype not in _PRECISE:
        raise ValueError(
            f"{what} is in {str(tensor.dtype).removeprefix('torch.')}, in which gradients vanish; "
            "call module.float() first, and use no autocast"
        )


def _to_numpy(tensor: torch.Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().cpu().numpy()
    return array
