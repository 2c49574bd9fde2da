"""What Draw shows, as code: a few lines of Python that compute it again, and the formula."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.attacks import Method, MinimalMethod
from core.attacks.deepfool import MARGIN
from core.evaluation.path import AttackPath
from core.measures import SCREEN, linf_norm

# How many ε the steps of an attack go in all; tests compare them with the attacks' own steps.
_REACH: Mapping[str, float] = {"bim": 1.25, "mi_fgsm": 1.0, "pgd": 2.5, "pgd_l2": 2.5}


@dataclass(frozen=True, eq=False)
class Shown:
    """An attack on one image, at one place of the slider.

    Attributes:
        path: the image under every budget, rounded to the levels of a screen.
        method: the attack.
        label: the true label.
        target: the digit to move towards, if any.
        budget: the slider's; the nearest one of the path counts.
    """

    path: AttackPath
    method: Method
    label: int
    target: int | None
    budget: float

    @property
    def place(self) -> int:
        """The place of the budget on the path."""
        return int(abs(self.path.scale.budgets - self.budget).argmin())

    @property
    def number(self) -> str:
        """The budget as Python and mathematicians write it."""
        return f"{self.path.scale.budgets[self.place]:g}"

    @property
    def predictions(self) -> tuple[int, int]:
        """The predictions without the attack and with it."""
        return int(self.path.predictions[0]), int(self.path.predictions[self.place])

    @property
    def norms(self) -> tuple[float, float]:
        """The L2 and the L∞ norm of the perturbation, in pixel units."""
        x_adv = self.path.x_adv
        linf = linf_norm(x_adv[0], x_adv[self.place])
        return float(self.path.l2_norm[self.place]), float(linf)


def lines(shown: Shown, *, network: str, digit: int | str) -> str:
    """Return at most ten lines of Python that compute what is shown, with `core` alone.

    Args:
        shown: what is shown.
        network: its name in the library.
        digit: the index of a test image, or a digit as the text of a link (`core.data.link`).
    """
    name, budget = shown.method.name, shown.number
    wanted = f"network, x, [{shown.label}]"
    target = "" if shown.target is None else f", target=[{shown.target}]"
    if isinstance(shown.method, MinimalMethod):
        name = shown.method.on_one.__name__
        attacks = f"{name}, towards"
        attack = f"towards(x, {name}({wanted}{target}), {budget})[0]"
    else:
        attacks, attack = name, f"{name}({wanted}, {budget}{target})"
    if isinstance(digit, int):
        data, x = "mnist", f'mnist.load("test").x[[{digit}]]'
    else:
        data, x = "link", f'link.decode({digit!r}).reshape(1, 784).astype("float32") / 255'
    before, after = shown.predictions
    l2, linf = shown.norms
    return "\n".join(
        [
            f"from core.attacks import {attacks}",
            f"from core.data import {data}",
            "from core.measures import l2_norm, linf_norm, predict, rounded",
            "from core.networks import LIBRARY",
            "",
            f"network, card = LIBRARY.load({network!r})",
            f"x = {x}",
            f"x_adv = rounded({attack}, {SCREEN})",
            f"print(predict(network, x), predict(network, x_adv))  # [{before}] [{after}]",
            f"print(l2_norm(x, x_adv), linf_norm(x, x_adv))  # [{l2:.2f}] [{linf:.3f}]",
        ]
    )


def formula(shown: Shown) -> list[str]:
    """Return the attack's formula with its numbers in it, as LaTeX, one line each.

    Images are x and x', L is the cross-entropy, Z_j is the logit of digit j, and Π is the
    projection into the ball of radius ε around x and into [0, 1].
    """
    method, place = shown.method, shown.number
    found: list[str] = _FORMULAS[method.name](shown)
    if isinstance(method, MinimalMethod):
        found.append(rf"x' = x + {place}\,(x_{{\text{{found}}}} - x)")
    before, after = shown.predictions
    l2, linf = shown.norms
    return [
        *found,
        rf"x'_{{\text{{shown}}}} = \mathrm{{round}}({SCREEN - 1}\,x') \,/\, {SCREEN - 1}",
        rf"\Vert x'_{{\text{{shown}}}} - x \Vert_2 = {l2:.2f}",
        rf"\Vert x'_{{\text{{shown}}}} - x \Vert_\infty = {linf:.3f}",
        rf"\arg\max_j Z_j(x) = {before}",
        rf"\arg\max_j Z_j(x'_{{\text{{shown}}}}) = {after}",
    ]


def step_size(shown: Shown) -> float:
    """Return the size of an iterated attack's steps, in pixel units."""
    budget = float(shown.path.scale.budgets[shown.place])
    return _REACH[shown.method.name] * budget / _default(shown.method, "steps")


def _default(method: Method, setting: str) -> float:
    """Return the value that an attack gives one of its settings."""
    value: float = inspect.signature(method.attack).parameters[setting].default
    return value


def _uphill(shown: Shown, x: str) -> tuple[str, str]:
    """Return the sign of a step, and the gradient of the loss that it follows."""
    goal = shown.label if shown.target is None else shown.target
    return ("+" if shown.target is None else "-"), rf"\nabla_x L({x}, {goal})"


def _fgsm(shown: Shown) -> list[str]:
    sign, gradient = _uphill(shown, "x")
    step = rf"x {sign} {shown.number} \cdot \mathrm{{sign}}\,{gradient}"
    return [rf"x' = \mathrm{{clip}}_{{[0, 1]}}\big({step}\big)"]


def _noise(shown: Shown) -> list[str]:
    step = rf"x + {shown.number} \cdot s"
    return [
        rf"x' = \mathrm{{clip}}_{{[0, 1]}}\big({step}\big)",
        r"s_i = \pm 1 \text{ at random}",
    ]


def _steps(shown: Shown, start: str, direction: str, sign: str, norm: str) -> list[str]:
    """Return the formula of an iterated attack."""
    last = int(_default(shown.method, "steps"))
    return [
        rf"x^0 = {start}",
        rf"x^{{t+1}} = \Pi\big(x^t {sign} {step_size(shown):.4g} \cdot {direction}\big)",
        rf"\Pi: \; \Vert x' - x \Vert_{norm} \le {shown.number}, \; 0 \le x' \le 1",
        rf"x' = x^{{{last}}}",
    ]


def _bim(shown: Shown) -> list[str]:
    sign, gradient = _uphill(shown, "x^t")
    return _steps(shown, "x", rf"\mathrm{{sign}}\,{gradient}", sign, r"\infty")


def _mi_fgsm(shown: Shown) -> list[str]:
    sign, gradient = _uphill(shown, "x^t")
    momentum = rf"g^{{t+1}} = {_default(shown.method, 'decay'):g} \cdot g^t + "
    momentum += rf"\frac{{{gradient}}}{{\Vert {gradient} \Vert_1}}"
    steps = _steps(shown, r"x, \quad g^0 = 0", r"\mathrm{sign}\,g^{t+1}", sign, r"\infty")
    return [steps[0], momentum, *steps[1:]]


def _pgd(shown: Shown) -> list[str]:
    sign, gradient = _uphill(shown, "x^t")
    start = rf"\Pi(x + {shown.number}\,u), \; u_i \text{{ random in }} [-1, 1)"
    return _steps(shown, start, rf"\mathrm{{sign}}\,{gradient}", sign, r"\infty")


def _pgd_l2(shown: Shown) -> list[str]:
    sign, gradient = _uphill(shown, "x^t")
    start, *steps = _steps(shown, "x", r"\frac{g^t}{\Vert g^t \Vert_2}", sign, "2")
    movable = rf"g^t = {gradient}, \; \text{{0 where }} x^t \text{{ would leave }} [0, 1]"
    return [start, movable, *steps]


def _square(shown: Shown) -> list[str]:
    return [
        *_search(shown),
        rf"x' = \mathrm{{clip}}_{{[0, 1]}}(x + \delta), \quad \delta_i = \pm {shown.number}",
        r"\delta \leftarrow \delta \text{ with one random square of one sign, if } m \text{ falls}",
        r"\delta^0: \text{ vertical stripes of random signs}",
    ]


def _square_l2(shown: Shown) -> list[str]:
    return [
        *_search(shown),
        r"x' = \mathrm{clip}_{[0, 1]}(x + \delta), \quad "
        rf"\Vert \delta \Vert_2 = {shown.number}",
        r"\delta_{W_1} \leftarrow s \left(\pm \eta + "
        r"\frac{\delta_{W_1}}{\Vert \delta_{W_1} \Vert_2}\right), "
        r"\quad \delta_{W_2} \leftarrow 0, \text{ if } m \text{ falls}",
        r"W_1, W_2: \text{ random windows}, \quad \eta: \text{ a bump}",
    ]


def _search(shown: Shown) -> list[str]:
    """Return what a random search lowers, and how often it asks."""
    goal = shown.label if shown.target is None else shown.target
    best, own = rf"\max_{{j \ne {goal}}} Z_j(x')", f"Z_{goal}(x')"
    margin = f"{own} - {best}" if shown.target is None else f"{best} - {own}"
    queries = f"{_default(shown.method, 'queries'):g}"
    return [rf"m = {margin}", rf"\text{{at most {queries} squares, until }} m < 0"]


def _deepfool(shown: Shown) -> list[str]:
    label, stretch = shown.label, 1 + _default(shown.method, "overshoot")
    return [
        rf"f_k = Z_k(x^t) - Z_{label}(x^t), \quad w_k = \nabla_x f_k",
        rf"l = \arg\min_{{k \ne {label}}} \frac{{|f_k|}}{{\Vert w_k \Vert_2}}",
        rf"s = {stretch:g} \Big(\frac{{|f_l|}}{{\Vert w_l \Vert_2}} + {MARGIN:g}\Big)",
        r"x^{t+1} = \mathrm{clip}_{[0, 1]}\Big(x^t + s \frac{w_l}{\Vert w_l \Vert_2}\Big)",
        r"x^0 = x",
        rf"x_{{\text{{found}}}} = \text{{the first }} x^t \text{{ not read as }} {label}",
    ]


def _carlini_wagner(shown: Shown) -> list[str]:
    goal = "t" if shown.target is None else shown.target
    confidence = _default(shown.method, "confidence")
    every = rf", \quad t \ne {shown.label}" if shown.target is None else ""
    nearest = r"\text{smallest over all } t: \; " if shown.target is None else ""
    return [
        rf"m(x') = \max_{{j \ne {goal}}} Z_j(x') - Z_{goal}(x'){every}",
        rf"J(x') = \Vert x' - x \Vert_2^2 + c \cdot \max(m(x'), {-confidence or 0:g})",
        rf"{nearest}x_{{\text{{found}}}} = \arg\min_{{x'}} J(x')",
        rf"{_default(shown.method, 'searches'):g} \text{{ values of }} c \text{{, }} "
        rf"{_default(shown.method, 'steps'):g} \text{{ steps of Adam each}}",
    ]


def _jsma(shown: Shown) -> list[str]:
    goal = shown.label if shown.target is None else shown.target
    others = rf"\sum_{{j \ne {goal}}} w_j \frac{{\partial Z_j}}{{\partial x_i}}"
    own = rf"\frac{{\partial Z_{goal}}}{{\partial x_i}}"
    best = rf"\max_{{j \ne {goal}}} Z_j"
    if shown.target is None:
        relation, distance, gain = r"\ne", f"Z_{goal} - {best}", f"{others} - {own}"
    else:
        relation, distance, gain = "=", f"{best} - Z_{goal}", f"{own} - {others}"
    pairs = int(_default(shown.method, "pixel_share") * shown.path.x_adv.shape[1]) // 2
    return [
        rf"\tau = {distance}",
        rf"w_j \propto e^{{Z_j / \tau}}, \quad \textstyle\sum_{{j \ne {goal}}} w_j = 1",
        rf"g_i = (1 - x_i) \left({gain}\right)",
        r"x_p, x_q \leftarrow 1 \text{ for the two largest } g_p, g_q",
        rf"\arg\max_j Z_j(x_{{\text{{found}}}}) {relation} {goal}",
        rf"\text{{at most }} {pairs} \text{{ pairs}}",
    ]


_FORMULAS: Mapping[str, Callable[[Shown], list[str]]] = {
    "fgsm": _fgsm,
    "bim": _bim,
    "mi_fgsm": _mi_fgsm,
    "pgd": _pgd,
    "square": _square,
    "noise": _noise,
    "pgd_l2": _pgd_l2,
    "square_l2": _square_l2,
    "deepfool": _deepfool,
    "carlini_wagner": _carlini_wagner,
    "jsma": _jsma,
}
