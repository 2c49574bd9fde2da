"""How convolutions can stand one after the other, as far as shapes tell: padding, stride, pooling.

A state dict holds a convolution's kernels, but neither its padding and stride nor the pooling after
it. The affine layer after the last one says how many numbers are left of an image, which few ways
lead to. The usual ones come first.
"""

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

_MOST_PADDING = 3
_STRIDES = {1: 0.0, 2: 0.7, 3: 3.0, 4: 3.5}  # each with how unusual it is
_POOLINGS = {(0, 1): 0.0, (2, 2): 0.0, (3, 2): 1.5, (3, 3): 1.5, (4, 4): 2.0, (2, 1): 2.5}

Sides = tuple[int, int]  # a height and a width


@dataclass(frozen=True)
class Step:
    """A convolution's padding and stride, and the pooling after it.

    Attributes:
        padding, stride: see `core.networks.layers.Convolution`.
        size, apart: of the pooling, and how far apart its windows are. Size 0 is no pooling.
        mean: the sides of the image whose channels are averaged after that; 0 where none are.
    """

    padding: int
    stride: int
    size: int
    apart: int
    mean: int = 0


@dataclass(frozen=True)
class _Option:
    """One step from here, where it leads, and how unusual it is by itself."""

    step: Step
    sides: Sides
    cost: float
    keeps: bool  # whether the padding keeps the image's size


def geometries(
    kernels: Sequence[Sides], area: int, ends: Sequence[bool], *, start: Sides = (28, 28)
) -> Iterator[tuple[float, tuple[Step, ...]]]:
    """Yield the ways from an image to `area` numbers a channel, the most usual ones first.

    Args:
        kernels: the height and width of each convolution's kernels.
        area: how many numbers a channel has after the last step.
        ends: whether the next convolution has more channels, or there is none. There pooling is
            usual.
        start: the sides of the image.

    Yields:
        how unusual a way is, at least 0, and a step for each convolution.
    """
    last = len(kernels) - 1

    @cache
    def options(number: int, sides: Sides) -> tuple[_Option, ...]:
        wanted = area if number == last else 0
        return tuple(_options(sides, kernels[number], wanted, ends[number]))

    @cache
    def rest(number: int, sides: Sides, keeps: bool | None) -> float:
        """Return how unusual the most usual way from here is; infinite where there is none."""
        if number > last:
            return 0.0
        costs = (
            each.cost + _change(keeps, each.keeps) + rest(number + 1, each.sides, each.keeps)
            for each in options(number, sides)
        )
        return min(costs, default=math.inf)

    count = itertools.count()  # of equal ways the first found is the first yielded
    todo: list[tuple[float, int, float, Sides, bool | None, tuple[Step, ...]]]
    todo = [(0.0, next(count), 0.0, start, None, ())]
    while todo:
        total, _, cost, sides, keeps, steps = heapq.heappop(todo)
        number = len(steps)
        if number > last:
            yield total, steps
            continue
        for each in options(number, sides):
            here = cost + each.cost + _change(keeps, each.keeps)
            whole = here + rest(number + 1, each.sides, each.keeps)
            if whole < math.inf:
                way = (*steps, each.step)
                heapq.heappush(todo, (whole, next(count), here, each.sides, each.keeps, way))


def _options(sides: Sides, kernel: Sides, area: int, end: bool) -> Iterator[_Option]:
    """Yield the steps from an image of these sides; to `area` numbers a channel unless it is 0."""
    same = (kernel[0] - 1) // 2 if kernel[0] == kernel[1] else None
    for padding in range(min(_MOST_PADDING, *(side - 1 for side in kernel)) + 1):
        keeps = padding == same and padding > 0
        for stride, unusual in _STRIDES.items():
            inner = _places(sides, kernel, padding, stride)
            if min(inner) < 1:
                continue
            cost = unusual + (0.0 if padding in (0, same) else 1.5)
            for (size, apart), more in _POOLINGS.items():
                after = _places(inner, (size, size), 0, apart) if size else inner
                if min(after) < 1:
                    continue
                if size:
                    more += (0.0 if end else 0.5) + (1.0 if stride > 1 else 0.0)
                else:
                    more = 0.2 if end else 0.0
                step = Step(padding, stride, size, apart)
                if not area or after[0] * after[1] == area:
                    yield _Option(step, after, cost + more, keeps)
                elif area == 1 and after[0] == after[1]:
                    step = replace(step, mean=after[0])
                    yield _Option(step, (1, 1), cost + more + 0.1, keeps)


def _places(sides: Sides, kernel: Sides, padding: int, stride: int) -> Sides:
    """Return how many windows fit along each side; less than 1 where none does."""
    height, width = (
        (side + 2 * padding - own) // stride + 1 for side, own in zip(sides, kernel, strict=True)
    )
    return height, width


def _change(before: bool | None, now: bool) -> float:
    """Return how unusual it is to keep the size here and not before, or the other way round."""
    return 0.0 if before in (None, now) else 0.5


def words(steps: Sequence[Step], kind: str) -> str:
    """Say what was assumed, such as "padding 2, max pooling 2 after each convolution".

    Args:
        steps: one a convolution.
        kind: of the pooling: "max" or "average".
    """
    said = [_series("padding", [step.padding for step in steps], 0)]
    if any(step.stride > 1 for step in steps):
        said.append(_series("stride", [step.stride for step in steps], 1))
    pooled = {(step.size, step.apart) for step in steps if step.size > 0}
    for size, apart in sorted(pooled):
        places = [n for n, step in enumerate(steps, 1) if (step.size, step.apart) == (size, apart)]
        which = f"{size}" if size == apart else f"{size} with stride {apart}"
        said.append(f"{kind} pooling {which} after {_which(places, len(steps))}")
    if steps[-1].mean:
        said.append("then the mean of each channel")
    elif not pooled:
        said.append("no pooling")
    return ", ".join(said)


def _series(name: str, values: Sequence[int], none: int) -> str:
    """Name a number for each convolution, or the one that all have."""
    if len(set(values)) > 1:
        return f"{name} {_listed(values)}"
    return f"no {name}" if values[0] == none else f"{name} {values[0]}"


def _listed(values: Sequence[int]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last


def _which(places: Sequence[int], count: int) -> str:
    """Name the convolutions after which something stands."""
    if len(places) == count:
        return "each convolution" if count > 1 else "the convolution"
    return f"convolution{'s' if len(places) > 1 else ''} {_listed(places)}"
