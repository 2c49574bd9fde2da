"""Branch and bound: a proof for one image that gets better for as long as one waits.

The ball is cut in two where a hidden unit changes its sign, and each half again, until CROWN proves
every part. In a part ReLU is linear for the units of known sign. Wang, Zhang, Xu et al. 2021,
"Beta-CROWN: Efficient Bound Propagation with Per-neuron Split Constraints for Neural Network
Robustness Verification"; the slopes α are improved as in Xu, Zhang et al. 2021, "Fast and Complete:
Enabling Complete Verification with Rapid and Massively Parallel Incomplete Verifiers".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.batches import one_thread_a_product
from core.bounds import crown
from core.bounds.balls import BALLS, Ball
from core.bounds.certify import RESOLUTIONS, Problem, certified_epsilon
from core.bounds.layers import Layers
from core.classifier import FloatArray, IntArray
from core.networks import MLP, Network

_BATCH = 256  # parts bounded at once: enough for the products, few enough for the cache
_GROWTH = 0.02  # of ε from one proof to the next; twice as much after a proof without a cut
# Steps along the sign of the gradient, of α and of β. Cutting is worth more than further steps.
_RATES = ((0.25, 0.1), (0.15, 0.06))
_LAST_RATES = tuple((0.1 * 0.93**step, 0.1 * 0.93**step) for step in range(60))
MOST_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Proof:
    """How far the two ends have come together.

    Attributes:
        proved: no image within this distance is misread.
        found: the distance of a misread image; inf if none is known.
        nearest: that image, `(D,)`, if it was found here.
        nodes: how many parts have been bounded so far.
    """

    proved: float
    found: float
    nearest: FloatArray | None
    nodes: int


def refine(
    network: Network,
    x: ArrayLike,
    y: int,
    *,
    norm: str = "linf",
    found: float = np.inf,
    resolution: float | None = None,
    most_bytes: int = MOST_BYTES,
) -> Iterator[Proof]:
    """Yield better and better proofs for one image, the first at once: what CROWN proves.

    `proved` never falls and `found` never rises. Between two yields at most 256 parts are bounded:
    some 15 ms for 784-128-64-10. The caller stops when its time or its count of nodes is up. The
    generator ends when the two ends are one step apart, when nothing more can be shown because of
    rounding, or when the parts take too much memory.

    Args:
        network: a perceptron.
        x: `(D,)`, pixels in [0, 1].
        y: its true label.
        norm: "linf" or "l2".
        found: the distance of a misread image that is known already.
        resolution: the least gain in ε that is worth the work; None for 1e-4 in L∞, 1e-3 in L2.
        most_bytes: how much memory the parts may take, about 1 kB each; twice that for a moment.

    Raises:
        ValueError: an argument is out of range, or the network is no perceptron; says why.
    """
    if not isinstance(network, MLP):
        raise ValueError(f"branch and bound needs one perceptron, not {type(network).__name__}")
    problem = Problem.of(network, np.asarray(x)[None], y, norm, "crown")
    step = RESOLUTIONS[norm] if resolution is None else float(resolution)
    if not found > 0 or not 1e-5 <= step <= 1:
        raise ValueError("found must be above 0, and resolution from 0.00001 to 1")
    (start,) = certified_epsilon(network, problem.x, y, norm=norm, resolution=resolution)
    if network.logits(problem.x).argmax() != y:
        yield Proof(0.0, 0.0, problem.x[0], 0)
        return
    search = _Search(problem, Proof(float(start), found, None, 0))
    yield search.proof
    growth = _GROWTH
    while search.ceiling - search.proof.proved > step and search.parts.bytes < most_bytes:
        proved = search.proof.proved
        target = proved + max(growth * proved, step)
        if target >= search.ceiling:
            target = (proved + search.ceiling) / 2
        before = len(search.parts)
        yield from search.attempt(target, most_bytes)
        growth = 2 * growth if len(search.parts) == before else _GROWTH


@dataclass(frozen=True, eq=False)
class _Parts:
    """Parts of a ball, each with a label that might beat the true one there.

    Attributes:
        rivals: `(P,)`, the labels.
        signs: `(P, units)`, 1 and −1 for the hidden units of known sign, all layers side by side.
        slopes: `(P, units)`, α of the others.
        multipliers: `(P, units)`, β ≥ 0 of the units of known sign.
    """

    rivals: IntArray
    signs: NDArray[np.int8]
    slopes: NDArray[np.float16]
    multipliers: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.rivals)

    @property
    def bytes(self) -> int:
        """The memory that they take."""
        return sum(array.nbytes for array in vars(self).values())

    def at(self, rows: slice | NDArray[np.bool_]) -> "_Parts":
        """Return some of the parts."""
        return _Parts(**{name: array[rows] for name, array in vars(self).items()})

    @classmethod
    def together(cls, pieces: "list[_Parts]") -> "_Parts":
        """Return all parts of several pieces."""
        return cls(
            **{
                name: np.concatenate([getattr(piece, name) for piece in pieces])
                for name in vars(pieces[0])
            }
        )

    def cut(self, units: IntArray) -> "_Parts":
        """Return the halves of each part, where its unit, `(P,)`, is at least or at most 0."""
        halves = []
        for sign in (1, -1):
            signs = self.signs.copy()
            signs[np.arange(len(self)), units] = sign
            halves.append(replace(self, signs=signs))
        return _Parts.together(halves)


def _next_batch(waiting: list[_Parts]) -> _Parts:
    """Take a batch of parts from the end of some pieces."""
    taken: list[_Parts] = []
    while waiting and (room := _BATCH - sum(map(len, taken))):
        piece = waiting.pop()
        rest = max(0, len(piece) - room)
        taken.append(piece.at(slice(rest, None)))
        if rest:
            waiting.append(piece.at(slice(rest)))
    return _Parts.together(taken)


class _Search:
    """The parts of one image's ball, and what is known of it.

    Attributes:
        proof: the latest.
        ceiling: the least ε that can't be proved, as far as is known.
        parts: together they hold every image, whatever ε; each was proved at `proof.proved`.
    """

    def __init__(self, problem: Problem, proof: Proof) -> None:
        self.proof = proof
        self._problem = problem
        largest = 1.0 if problem.norm == "linf" else float(np.sqrt(problem.x.shape[1]))
        self.ceiling = min(proof.found, largest)
        rivals = np.delete(np.arange(problem.outputs), problem.y[0])
        (layers,) = problem.members
        assert isinstance(layers, Layers)
        self._layers = layers
        shape = len(rivals), sum(len(bias) for bias in layers.biases[:-1])
        self.parts = _Parts(
            rivals,
            np.zeros(shape, np.int8),
            np.full(shape, 0.5, np.float16),
            np.zeros(shape, np.float16),
        )

    def attempt(self, target: float, most_bytes: int) -> Iterator[Proof]:
        """Cut parts until all are proved at ε = `target`, or one can't be; yield after each batch.

        Parts that are proved for a larger ε are proved for a smaller one, and all parts together
        always hold every image. So whatever was cut serves the next attempt, too.
        """
        problem = self._problem
        ball = BALLS[problem.norm].around(problem.x.astype(np.float64), np.array([target]))
        with one_thread_a_product:
            region = _Region(self._layers, ball, int(problem.y[0]))
        waiting, done = [self.parts], []
        while waiting and self.ceiling > target:
            with one_thread_a_product:
                batch, safe, found = region.improve(_next_batch(waiting), _RATES)
                if not safe.all():
                    waiting.append(self._cut(region, batch.at(~safe), found.at(~safe), target))
            done.append(batch.at(safe))
            self.proof = replace(self.proof, nodes=self.proof.nodes + len(batch))
            if sum(piece.bytes for piece in waiting + done) > most_bytes:
                self.ceiling = target
            if not waiting and self.ceiling > target:
                self.proof = replace(self.proof, proved=target)
            yield self.proof
        self.parts = _Parts.together(done + waiting)

    def _cut(self, region: "_Region", parts: _Parts, found: "_Sweep", target: float) -> _Parts:
        """Return the halves of parts that are not proved; lower the ceiling where that can't help.

        The image at which a part's bound is least may be one that the network misreads.
        """
        self._look_at(found.images)
        whole = np.all(found.gains <= 0, axis=1)  # no unit of unknown sign is left
        pieces = []
        if not whole.all():
            pieces.append(parts.at(~whole).cut(found.gains[~whole].argmax(axis=1)))
        if whole.any():
            rest, safe, found = region.improve(parts.at(whole), _LAST_RATES)
            self._look_at(found.images)
            if not safe.all():
                self.ceiling = min(self.ceiling, target)
            pieces.append(rest)
        return _Parts.together(pieces)

    def _look_at(self, images: FloatArray) -> None:
        """Note the nearest of some images, `(P, D)`, that the network misreads."""
        problem = self._problem
        x, y = problem.x[0], problem.y[0]
        images = np.clip(images, 0, 1).astype(x.dtype)
        misread = images[problem.network.logits(images).argmax(axis=1) != y]
        if not len(misread):
            return
        # On the way there the label may change earlier.
        way = x + np.linspace(0, 1, 101, dtype=x.dtype)[1:, None] * (misread[0] - x)
        way = np.concatenate([way, misread])
        way = way[problem.network.logits(way).argmax(axis=1) != y]
        order = np.inf if problem.norm == "linf" else 2
        distances = np.linalg.norm(way.astype(np.float64) - x, ord=order, axis=1)
        nearest = int(distances.argmin())
        if distances[nearest] < self.proof.found:
            found = float(distances[nearest])
            self.proof = replace(self.proof, found=found, nearest=way[nearest])
            self.ceiling = min(self.ceiling, found)


@dataclass(frozen=True, eq=False)
class _Sweep:
    """The bounds of some parts and what would improve them.

    Attributes:
        bound: `(P,)`, in float32: a guide, not a proof.
        of_slopes: `(P, units)`, the bound's derivative by α.
        of_multipliers: `(P, units)`, the bound's derivative by β.
        gains: `(P, units)`, what the upper line of a unit of unknown sign costs the bound.
        images: `(P, D)`, where the bound is least.
    """

    bound: FloatArray
    of_slopes: FloatArray
    of_multipliers: FloatArray
    gains: FloatArray
    images: FloatArray

    def at(self, rows: NDArray[np.bool_]) -> "_Sweep":
        """Return those of some parts."""
        return _Sweep(**{name: array[rows] for name, array in vars(self).items()})


class _Region:
    """A network over one image's ball, of which parts are to be proved."""

    def __init__(self, layers: Layers, ball: Ball, y: int) -> None:
        self._known = crown.bounded(layers, ball)
        self._layers, self._ball, self._y = layers, ball, y
        units, lines = self._known.units, self._known.relaxations
        highest = units[-1].after_relu().highest if units else ball.highest
        self._errors = layers.errors(layers.depth - 1, highest)
        ends = np.cumsum([0, *(len(bias) for bias in layers.biases[:-1])])
        self._places = [slice(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]

        def side_by_side(arrays: list[FloatArray]) -> FloatArray:
            return np.concatenate([np.zeros(0), *(array.ravel() for array in arrays)])

        self._lower = side_by_side([each.lower for each in units])
        self._upper = side_by_side([each.upper for each in units])
        self._upper_slope = side_by_side([each.upper_slope for each in lines])
        self._intercept = side_by_side([each.intercept for each in lines])
        self._weights = [weight.astype(np.float32) for weight in layers.weights]
        self._biases = [bias.astype(np.float32) for bias in layers.biases]
        self._middle = self._known.middle.astype(np.float32)

    def improve(
        self, parts: _Parts, rates: tuple[tuple[float, float], ...]
    ) -> tuple[_Parts, NDArray[np.bool_], _Sweep]:
        """Return the parts with better α and β, which of them are proved, and the last sweep."""
        best, sweep = parts, self.sweep(parts)
        bound = sweep.bound
        for of_slopes, of_multipliers in rates:
            slopes = parts.slopes + of_slopes * np.sign(sweep.of_slopes)
            multipliers = parts.multipliers + of_multipliers * np.sign(sweep.of_multipliers)
            parts = replace(
                parts,
                slopes=np.clip(slopes, 0, 1).astype(np.float16),
                multipliers=np.maximum(multipliers, 0).astype(np.float16),
            )
            sweep = self.sweep(parts)
            better = (sweep.bound > bound)[:, None]
            best = replace(
                parts,
                slopes=np.where(better, parts.slopes, best.slopes),
                multipliers=np.where(better, parts.multipliers, best.multipliers),
            )
            bound = np.maximum(bound, sweep.bound)
        safe = bound > 0
        safe[safe] = self.bounds(best.at(safe)) > 0
        return best, safe, sweep

    def _rows(self, parts: _Parts) -> FloatArray:
        """Return the coefficients of each part's margin, `(P, outputs)`."""
        unit = np.eye(len(self._layers.biases[-1]))
        rows: FloatArray = unit[self._y] - unit[parts.rivals]
        return rows

    def _lines(self, parts: _Parts) -> crown.Relaxation:
        """Return ReLU's lines in each part, `(P, units)`, all layers side by side."""
        unknown = parts.signs == 0
        upper_slope = np.where(unknown, self._upper_slope, parts.signs > 0)
        free = unknown & (self._lower < 0) & (self._upper > 0)
        return crown.Relaxation(
            lower_slope=np.where(free, parts.slopes, upper_slope),
            upper_slope=upper_slope,
            intercept=np.where(unknown, self._intercept, 0),
            constraint=parts.signs.astype(np.float64) * parts.multipliers,
        )

    def bounds(self, parts: _Parts) -> FloatArray:
        """Return lower bounds of the parts' margins, `(P,)`, by CROWN in float64: the proof."""
        lines = self._lines(parts)
        of_layers = [
            crown.Relaxation(**{name: array[None, :, place] for name, array in vars(lines).items()})
            for place in self._places
        ]
        known = replace(self._known, relaxations=of_layers)
        bounds: FloatArray = known.lower_bounds(self._rows(parts)[None], self._errors)[0]
        return bounds

    def sweep(self, parts: _Parts) -> _Sweep:
        """Bound the parts, backward to the pixels; then forward, for the derivatives.

        At the image where the bound is least, let the units be what their lines make of them. The
        bound's derivative by a coefficient is then the unit it multiplies: α of a positive
        coefficient A has the derivative A z, and β of the constraint s z ≥ 0 has −s z.
        """
        lines = self._lines(parts)
        a, s, t, c = (array.astype(np.float32) for array in vars(lines).values())
        B = self._rows(parts).astype(np.float32)
        bound = -np.abs(B) @ self._errors[0].astype(np.float32)
        A = np.zeros_like(a)  # coefficients after ReLU
        for layer in reversed(range(len(self._places))):
            place = self._places[layer]
            bound += B @ self._biases[layer + 1]
            A[:, place] = B @ self._weights[layer + 1].T
            negative = np.minimum(A[:, place], 0)
            B = (A[:, place] - negative) * a[:, place] + negative * s[:, place] - c[:, place]
            bound += (negative * t[:, place]).sum(axis=1)
            bound -= np.abs(B) @ self._known.units[layer].errors[0].astype(np.float32)
        slopes = B @ self._weights[0].T
        moved = self._ball.furthest(slopes)
        z = self._middle + moved @ self._weights[0]
        bound += (B * z).sum(axis=1)

        units = np.empty_like(a)  # before ReLU
        for layer, place in enumerate(self._places):
            units[:, place] = z
            h = np.where(A[:, place] > 0, a[:, place] * z, s[:, place] * z + t[:, place])
            z = h @ self._weights[layer + 1] + self._biases[layer + 1]
        free = (parts.signs == 0) & (self._lower < 0) & (self._upper > 0)
        return _Sweep(
            bound,
            of_slopes=np.where(free, np.maximum(A, 0) * units, 0),
            of_multipliers=-parts.signs * units,
            # Units below their lower line count a little, so that none is left out for ever.
            gains=np.where(free, (np.maximum(-A, 0) + 1e-3 * np.maximum(A, 0) + 1e-9) * t, 0),
            images=self._ball.centre.astype(np.float32) + moved,
        )
