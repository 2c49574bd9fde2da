"""Gradient descent in PyTorch for all recipes, on a GPU if there is one."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import BatchNorm1d, BatchNorm2d, Conv2d, Linear, ModuleList
from torch.nn.functional import avg_pool2d, cross_entropy

from core import losses
from core.batches import BATCH
from core.classifier import FloatArray, IntArray
from core.measures import logits
from core.networks import Single
from core.networks.layers import Affine, Convolution
from core.recipe import POOL, SIDE, Recipe
from core.training import proof
from core.training.cost import PGD_STEPS, Advance, Pace, forward_work, pieces, work_of_a_step
from core.training.start import layers_of, network_of


class TorchEngine:
    """An engine for every recipe (see `core.training.loop.Engine`).

    Attributes:
        model: the network in training, in evaluation mode between runs.
    """

    def __init__(self, start: Single, recipe: Recipe) -> None:
        # On small batches a second thread gains little, and it takes a core from others.
        torch.set_num_threads(1)
        self._recipe = recipe
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._random = torch.Generator(self._device).manual_seed(recipe.seed)
        self.model = _Model(start, batch_norm=recipe.batch_norm).to(self._device).eval()
        for layer in self.model.learned[: recipe.frozen]:
            layer.requires_grad_(False)
        self._optimizer = _optimizer(self.model, recipe)
        self._pace = Pace(lambda images: None)

    def run(
        self,
        x: FloatArray,
        y: IntArray,
        order: IntArray,
        learning_rate: float,
        mask: NDArray[np.bool_] | None = None,
        advance: Advance = lambda images: None,
        *,
        done: float = 1.0,
    ) -> tuple[float, int]:
        """Train on the images in the given order (see `Engine`)."""
        self._pace = Pace(advance)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        images, labels = self._tensor(x[order]), self._tensor(y[order])
        gain = 1 / (1 - self._recipe.dropout)
        gates = None if mask is None else self._tensor(mask.astype(np.float32)) * gain
        loss_sum = torch.zeros((), device=self._device)
        correct = torch.zeros((), dtype=torch.int64, device=self._device)
        size = self._recipe.batch_size
        for first in range(0, len(order), size):
            rows = slice(first, first + size)
            batch, wanted = images[rows], labels[rows]
            if self._recipe.batch_norm and len(batch) < 2:
                continue  # a single image can't be normalised
            if self._recipe.adversary in ("fgsm", "pgd"):
                batch = self._attacked(batch, wanted)
            self._pace.begin(work_of_a_step(self._recipe, len(batch)))
            self.model.train()
            if self._recipe.adversary == "interval":
                budget, kappa = self._recipe.proof_at(done)
                loss, right = proof.losses(self.model.linears, batch, wanted, budget, kappa)
            else:
                logits = self.model(batch, None if gates is None else gates[rows])
                loss = cross_entropy(logits, wanted)
                right = (logits.argmax(dim=1) == wanted).sum()
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            self.model.eval()
            loss_sum += loss.detach() * len(batch)
            correct += right
            self._pace.images += len(batch)
        advance(self._pace.images)
        return float(loss_sum), int(correct)

    def evaluate(
        self, x: FloatArray, y: IntArray, advance: Advance = lambda images: None
    ) -> tuple[float, int]:
        """Return the sum of the losses and the number of correct predictions, as they are now."""
        network, found = self.network(), []
        for rows in pieces(len(x), forward_work(self._recipe), whole=BATCH):
            found.append(logits(network, x[rows]))
            advance(rows.stop - rows.start)
        scores = np.concatenate(found)
        loss = losses.cross_entropy(scores, y).sum(dtype=np.float64)
        return float(loss), int((scores.argmax(axis=1) == y).sum())

    def network(self) -> Single:
        """Return a copy of the network as it is now, batch normalisation folded in."""
        return self.model.folded()

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def _attacked(self, x: Tensor, y: Tensor) -> Tensor:
        """Attack the images as the recipe's adversary does, from a random start."""
        epsilon = self._recipe.adversary_epsilon
        if self._recipe.adversary == "fgsm":
            steps, step_size = 1, 1.25 * epsilon  # Wong et al. 2020, section 4
        else:
            steps, step_size = PGD_STEPS, 2.5 * epsilon / PGD_STEPS
        draws = torch.rand(x.shape, generator=self._random, device=self._device)
        here = (x + epsilon * (2 * draws - 1)).clamp(0, 1)
        for _ in range(steps):
            self._pace.begin(2 * len(x) * forward_work(self._recipe))
            here.requires_grad_()
            logits = self.model(here)
            (gradient,) = torch.autograd.grad(logits, here, _exact_cotangent(logits.detach(), y))
            here = here.detach() + step_size * gradient.sign()
            here = torch.minimum(torch.maximum(here, x - epsilon), x + epsilon).clamp(0, 1)
        return here


class _Model(torch.nn.Module):
    """A recipe's layers, optionally with batch normalisation before each ReLU."""

    def __init__(self, start: Single, *, batch_norm: bool) -> None:
        super().__init__()
        layers = layers_of(start)
        self.learned = [_of_torch(layer) for layer in layers]
        self.linears = [each for each in self.learned if isinstance(each, Linear)]
        normed = layers[:-1] if batch_norm else []
        self.norms = [
            (BatchNorm2d if isinstance(layer, Convolution) else BatchNorm1d)(len(layer.bias))
            for layer in normed
        ]
        self.layers = ModuleList([*self.learned, *self.norms])  # torch looks here

    def forward(self, x: Tensor, gates: Tensor | None = None) -> Tensor:
        """Return the logits; `gates`, `(N, hidden units)`, are factors of the hidden outputs."""
        first = 0
        if isinstance(self.learned[0], Conv2d):
            x = x.reshape(-1, 1, SIDE, SIDE)
        for place, layer in enumerate(self.learned[:-1]):
            x = layer(x if isinstance(layer, Conv2d) else x.flatten(1))
            if self.norms:
                x = self.norms[place](x)
            x = x.relu()
            if isinstance(layer, Conv2d):
                x = avg_pool2d(x, POOL)
            elif gates is not None:
                x = x * gates[:, first : first + x.shape[1]]
                first += x.shape[1]
        logits: Tensor = self.learned[-1](x.flatten(1))
        return logits

    def folded(self) -> Single:
        """Return the network of plain layers that gives the same logits in evaluation mode."""
        layers: list[Affine | Convolution] = []
        for place, layer in enumerate(self.learned):
            weight, bias = _numbers(layer.weight), _numbers(layer.bias)
            if place < len(self.norms):
                norm = self.norms[place]
                assert norm.running_mean is not None
                assert norm.running_var is not None
                factor = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
                bias = (bias - _numbers(norm.running_mean)) * factor + _numbers(norm.bias)
                weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
            weight, bias = weight.astype(np.float32), bias.astype(np.float32)
            if isinstance(layer, Conv2d):
                layers.append(Convolution(weight, bias, padding=int(layer.padding[0])))
            else:
                layers.append(Affine(weight.T, bias))
        return network_of(layers)


def _of_torch(layer: Affine | Convolution) -> Linear | Conv2d:
    """Return a layer as torch's, with the same weights."""
    made: Linear | Conv2d
    if isinstance(layer, Convolution):
        outputs, channels, height, width = layer.weight.shape
        made = Conv2d(channels, outputs, (height, width), padding=layer.padding)
        weight = layer.weight
    else:
        made, weight = Linear(*layer.weight.shape), layer.weight.T
    with torch.no_grad():
        made.weight.copy_(torch.tensor(weight.copy()))
        assert made.bias is not None
        made.bias.copy_(torch.tensor(layer.bias))
    return made


def _numbers(tensor: Tensor | None) -> FloatArray:
    """Return a tensor's numbers as float64."""
    assert tensor is not None
    found: FloatArray = tensor.detach().cpu().double().numpy()
    return found


def _optimizer(model: _Model, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimiser. Biases and batch normalisation do not decay."""
    learned = [layer for layer in model.learned if layer.weight.requires_grad]
    groups = [
        {"params": [layer.weight for layer in learned], "weight_decay": recipe.weight_decay},
        {
            "params": [
                *(layer.bias for layer in learned),
                *(values for norm in model.norms for values in norm.parameters()),
            ],
            "weight_decay": 0.0,
        },
    ]
    if recipe.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    momentum = 0.9 if recipe.optimizer == "momentum" else 0.0
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=momentum)


def _exact_cotangent(logits: Tensor, y: Tensor) -> Tensor:
    """Do as `core.losses.exact_cotangent`, on the tensors' device."""
    others = logits.scatter(1, y[:, None], -torch.inf)
    others = (others - others.amax(dim=1, keepdim=True)).exp()
    return others.scatter(1, y[:, None], -others.sum(dim=1, keepdim=True))
