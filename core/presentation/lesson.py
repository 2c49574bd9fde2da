"""The lesson's questions: the answers to choose from, which is right, and what one has seen.

Each `on_…` takes what was measured and returns an `Outcome`. The sentences are Markdown.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

from core.classifier import FloatArray
from core.evaluation.path import AttackPath
from core.evaluation.replication import EPSILONS, Replication
from core.evaluation.robustness import Robustness
from core.presentation.words import percent, with_article

# The answers to "from which ε on?", and where one ends and the next begins.
BANDS = (0.05, 0.1, 0.2, 0.5)
IN_BANDS = ("0.05 or less", "0.05 to 0.1", "0.1 to 0.2", "0.2 to 0.5", "not up to 0.5")
_SPACE = "\N{NO-BREAK SPACE}"
SURENESS = (
    "It reads another digit",
    f"less than 90{_SPACE}%",
    f"90 to 99{_SPACE}%",
    f"more than 99{_SPACE}%",
)
COUNT_BOUNDS = (0, 10, 50)  # the last of each answer but the largest
COUNTS = ("none", "1 to 10", "11 to 50", "more than 50")
GRADIENTS = ("the exact one", "float32's", "both the same")
MISREADINGS = ("fewer", "up to 1.5 times as many", "1.5 to 3 times as many", "even more")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Outcome:
    """What the instrument shows.

    Attributes:
        right: the place of the right answer.
        seen: what one has seen, with its numbers.
    """

    right: int
    seen: str


def on_guess(answers: tuple[str, ...], guess: int | None, right: int) -> str:
    """Compare a guess with the right answer; None is no guess."""
    if guess is None:
        return f"Measured: **{answers[right]}**."
    if guess == right:
        return f"Your guess: **{answers[guess]}**. Right!"
    return f"Your guess: **{answers[guess]}**. Measured: **{answers[right]}**."


def on_reading(probabilities: FloatArray, label: int, *, accuracy: float) -> Outcome:
    """Say how a network reads a digit.

    Args:
        probabilities: `(10,)`.
        label: the true digit.
        accuracy: the network's on the test images.
    """
    prediction = int(probabilities.argmax())
    share = float(probabilities[prediction])
    sure = f"more than 99.99{_SPACE}%" if share > 0.9999 else percent(share, 2)
    on_average = f"It reads {percent(accuracy)} of 10,000 new test digits right."
    if prediction != label:
        wrong = f"It takes this {label} for {with_article(prediction)} and is {sure} sure."
        return Outcome(0, f"{wrong} Nobody attacks it here. {on_average}")
    right = 1 + (share >= 0.9) + (share > 0.99)
    return Outcome(right, f"It reads {with_article(label)} and is {sure} sure. {on_average}")


def on_flip(path: AttackPath, label: int) -> Outcome:
    """Say from which ε on the network reads another digit."""
    if path.flip is None:
        return Outcome(band(None), f"It reads {with_article(label)} up to {_at(0.5, 1)}.")
    epsilon = path.flip.epsilon
    return Outcome(
        band(epsilon),
        f"From {_at(epsilon)} on the network reads {with_article(path.flip.after)}. That is "
        f"{_levels(epsilon)} of 255 grey levels a pixel. To you it is still {with_article(label)}.",
    )


def on_noise(path: AttackPath, epsilon: float, fooled: int, known: Replication | None) -> Outcome:
    """Say how many random perturbations fool the network.

    Args:
        path: one random perturbation, over ε.
        epsilon: the size of 100 of them.
        fooled: how many of these 100 change the prediction.
        known: what was measured on all test images, if it is known.
    """
    count = {0: "none fools", 1: "one fools"}.get(fooled, f"{fooled} fool")
    if path.flip is None:
        alone = f"The one on the slider never does, up to {_at(0.5, 1)}."
    else:
        times = f", {path.flip.epsilon / epsilon:.1f} times as far" if epsilon else ""
        alone = f"The one on the slider does from {_at(path.flip.epsilon)} on{times}."
    if fooled <= COUNT_BOUNDS[1]:
        why = "At the same size, it is the direction that fools the network."
    else:
        why = "This digit is so close to another one that even noise takes it there."
    everywhere = ""
    if known is not None:
        exact = known.evasion["exact"]
        everywhere = (
            f" So it is for all test images: FGSM of {_at(exact.attacked_at)} fools the network on "
            f"{percent(exact.evasion_rate)}, noise of that size on "
            f"{percent(known.controls['noise'])}."
        )
    seen = f"Of 100 such changes at {_at(epsilon)}, {count} the network. {alone} {why}{everywhere}"
    return Outcome(bisect_left(COUNT_BOUNDS, fooled), seen)


def on_target(path: AttackPath, label: int, target: int) -> Outcome:
    """Say by which ε the network reads the digit that the attacker wants."""
    wanted = with_article(target)
    if path.reaches is None:
        return Outcome(band(None), f"It does not read {wanted} up to {_at(0.5, 1)}.")
    return Outcome(
        band(path.reaches),
        f"By {_at(path.reaches)} the network reads {wanted} in this {label}. So an attacker can "
        "choose the answer. Think of the amount on a cheque.",
    )


def on_gradient(exact: AttackPath, rounded: AttackPath, known: Replication | None) -> Outcome:
    """Compare FGSM with the exact gradient and with the one that float32 rounds.

    Args:
        exact: a digit's path with the exact gradient.
        rounded: its path with the other one.
        known: what was measured on all test images, if it is known.
    """
    sizes = [math.inf if path.flip is None else path.flip.epsilon for path in (exact, rounded)]
    right = 2 if _at(sizes[0]) == _at(sizes[1]) else int(sizes[1] > sizes[0])
    flips = [f"at {_at(size)}" if size < math.inf else f"not up to {_at(0.5, 1)}" for size in sizes]
    seen = (
        f"The exact gradient flips it {flips[0]}, float32's {flips[1]}. Float32 rounds the "
        "network's probability to exactly 1, and the largest term of the gradient, 1 minus it, to "
        "0."
    )
    if known is not None:
        shares = [
            percent(known.evasion[name].rates[EPSILONS.index(0.1)])
            for name in ("exact", "float32_autograd")
        ]
        seen += (
            f" Of all test images at {_at(0.1, 1)}, the exact gradient fools the network on "
            f"{shares[0]}, float32's on {shares[1]}. A weak attack looks like a strong network."
        )
    return Outcome(right, seen)


def on_robust(standard: AttackPath, robust: AttackPath) -> Outcome:
    """Compare how far two networks withstand the same attack."""
    if robust.flip is None:
        return Outcome(band(None), f"It reads the digit right up to {_at(0.5, 1)}.")
    seen = f"PGD fools it by {_at(robust.flip.epsilon)}"
    if standard.flip is not None and standard.flip.epsilon > 0:
        times = robust.flip.epsilon / standard.flip.epsilon
        seen += f", *standard* by {_at(standard.flip.epsilon)}: {times:.1f} times as far"
    return Outcome(
        band(robust.flip.epsilon),
        f"{seen}. A network can learn to resist an attack if it meets that attack while it learns.",
    )


def on_cost(standard: Robustness, robust: Robustness) -> Outcome:
    """Say what a network that withstands gains and costs, on many test images."""
    wrong = [round(each.images * (1 - each.clean_accuracy)) for each in (standard, robust)]
    times = wrong[1] / max(wrong[0], 1)
    right = (times >= 1) + (times > 1.5) + (times > 3)
    rates = {
        epsilon: [percent(each.evasion_rate("pgd", epsilon)) for each in (standard, robust)]
        for epsilon in (0.1, 0.3)
    }
    return Outcome(
        right,
        f"Of {standard.images:,} test digits, *standard* misreads {wrong[0]:,} without an attack, "
        f"the other one {wrong[1]:,}. At {_at(0.1, 1)}, PGD fools them on {rates[0.1][0]} and "
        f"{rates[0.1][1]} of {standard.attacked:,}; at {_at(0.3, 1)}, {rates[0.3][0]} and "
        f"{rates[0.3][1]}. Robustness costs accuracy, and it ends at some ε.",
    )


def band(epsilon: float | None) -> int:
    """Return the place in `IN_BANDS` of an ε up to 0.5; None is the last."""
    return len(BANDS) if epsilon is None else bisect_left(BANDS, epsilon)


def odds(share: float) -> str:
    """Return a small share in (0, 1) as words: 1 in so many, rounded to one digit.

    Beyond a million it is a power of ten.
    """
    if share <= 0:
        return "nothing"
    size = -math.floor(math.log10(share))
    if size <= 6:
        return f"1 in {round(1 / share, 1 - size):,.0f}"
    return f"less than 1 in 10{str(size - 1).translate(_SUPERSCRIPTS)}"


def _at(epsilon: float, digits: int = 3) -> str:
    return f"ε{_SPACE}={_SPACE}{epsilon:.{digits}f}"


def _levels(epsilon: float) -> str:
    return str(round(255 * epsilon) or "less than one")
