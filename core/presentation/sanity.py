"""Sentences about the checks of whether an evaluation can be trusted."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from core.evaluation.outputs import Vanished
from core.evaluation.sanity import HARDLY_ANY, LATE, MOST, NEARLY_ALL, SURE, Sanity
from core.presentation.words import in_percent, percent

_Words: TypeAlias = dict[str, tuple[str, str, str]]  # title, finding, meaning, by the check's name


@dataclass(frozen=True)
class Verdict:
    """One check in words.

    Attributes:
        title: what should hold, or by how much a lower bound is too low.
        kind: whether the check "holds" or "fails", or the line is about a "lower bound". An attack
            that misses some adversarial images is not at fault, so that is no failed check.
        finding: the measured numbers, each with its denominator.
        meaning: why it matters, and what a failure means.
    """

    title: str
    kind: Literal["holds", "fails", "lower bound"]
    finding: str
    meaning: str


def verdicts(found: Sanity) -> tuple[Verdict, ...]:
    """Put the checks of `core.evaluation.sanity.measure` into words, and last what PGD misses."""
    words = _on_attacks(found) | _on_the_loss(found) | _on_the_network(found) | _on_float32(found)
    checks = [
        Verdict(title, "holds" if found.passed[name] else "fails", finding, meaning)
        for name, (title, finding, meaning) in words.items()
    ]
    return (*checks, _on_the_strongest(found))


def _on_attacks(found: Sanity) -> _Words:
    """Put the checks that compare attacks into words."""

    def share(count: int) -> str:
        return percent(count / found.images)

    at, misclassified = _at(found), f"of {_sample(found)}"
    rising = ", ".join(f"{share(count)} at ε = {budget:g}" for budget, count in found.pgd)
    return {
        "noise": (
            "Random noise is weaker than FGSM",
            f"{at}, {share(found.noise)} {misclassified} are misclassified under random noise and "
            f"{share(found.fgsm)} under FGSM.",
            "Both change every pixel by ε, but only FGSM chooses the direction. If noise fools "
            "the network more often, the gradient is masked or the attack is broken. A failed "
            "attack then says nothing about the network.",
        ),
        "steps": (
            "FGSM is no stronger than PGD",
            f"{at}, {share(found.fgsm)} {misclassified} are misclassified under FGSM and "
            f"{share(found.pgd[1][1])} under PGD.",
            "PGD takes many small steps and computes the gradient anew at each of them, so it "
            "should find at least what FGSM finds in one step. If FGSM fools more images, the "
            "gradient is masked near the images, or PGD's steps are too few or too short.",
        ),
        "budget": (
            "A larger ε fools the network more often",
            f"Under PGD, these shares {misclassified} are misclassified: {rising}.",
            "A larger ε allows every change that a smaller ε allows. If the rate falls, the attack "
            "misses adversarial images that exist, and the rates are too low by an unknown amount.",
        ),
        "unbounded": (
            "Without a bound, nearly every image is misclassified",
            f"{share(found.pgd_unbounded)} {misclassified} are misclassified under PGD at ε = 1. "
            f"At least {percent(NEARLY_ALL)} are expected.",
            "At ε = 1 any image may turn into any other, so a working attack succeeds. If it does "
            "not, the attack is at fault; the network is not robust.",
        ),
        "rounding": (
            "Fooled images survive rounding to a screen's 256 grey levels",
            f"{at}, FGSM fools the network on {found.fgsm_rounding.misled:,} images that "
            f"were classified correctly before; {found.fgsm_rounding.survive:,} of them stay "
            f"misclassified when rounded. PGD fools it on {found.pgd_rounding.misled:,}, and "
            f"{found.pgd_rounding.survive:,} stay. About {percent(MOST, 0)} or more are expected.",
            "The pixels of the attack's own images are float numbers. A screen or a picture file "
            "rounds them to 256 grey levels. If many images don't survive this, the "
            "rates tell little about pictures that one can show or save.",
        ),
    }


def _on_the_loss(found: Sanity) -> _Words:
    """Put the checks of what becomes of PGD's loss into words."""
    at, climb = _at(found), found.climb
    late = (
        f"{percent(climb.late / climb.rise)} of the rise of PGD's loss comes in the second half of "
        f"its steps. At most {percent(LATE)} is expected."
        if climb.rise > 0
        else "PGD's loss does not rise."
    )
    return {
        "loss": (
            "PGD raises the loss",
            f"{at}, the loss is higher at the end of PGD than at its start for "
            f"{_of_all(climb.higher, found)}. At least {percent(NEARLY_ALL)} are expected.",
            "PGD follows the gradient of the loss upwards. If the loss does not rise, the gradient "
            "is wrong, or the steps are too long.",
        ),
        "converged": (
            "PGD takes enough steps",
            f"{at}, {late}",
            "An attack that has arrived gains little from its last steps. If the loss is still "
            "rising, the steps are too few or too short, and more of them would fool the network "
            "more often.",
        ),
    }


def _on_the_network(found: Sanity) -> _Words:
    """Put the checks of what the network gives an attack to work with into words."""
    outputs, slopes = found.outputs, found.derivatives
    sure = (
        f"For the {outputs.correct:,} images that it classifies correctly, the mean probability of "
        f"its answer is {percent(outputs.confidence)}. At least {percent(SURE)} is expected."
    )
    if outputs.probabilities:
        sure += (
            " Its outputs are probabilities already, at least 0 with a sum of 1, for "
            f"{_of_all(outputs.probabilities, found)}."
        )
    return {
        "logits": (
            "The network's outputs are logits",
            sure,
            "An attack computes the probabilities, and so the loss, from the logits. If the "
            "outputs are probabilities already, or logits divided by a large number, all wrong "
            "labels seem almost equally likely. The attack then does not see which one is near, "
            "and fails where another attack would succeed.",
        ),
        "derivatives": (
            "The gradient is the slope of the outputs",
            "In a tiny step, the network's outputs change as its gradient says for "
            f"{_of_all(slopes.gradient, found)} along the gradient, and for "
            f"{_of_all(slopes.random, found)} along a random direction. At least "
            f"{percent(NEARLY_ALL)} are expected.",
            "Most attacks follow the network's gradient. If it is noisy or has the wrong sign, or "
            "if the network rounds its input, the gradient leads elsewhere. The network then looks "
            "more robust than it is.",
        ),
        "gradient": (
            "An attack can follow the exact gradient",
            f"The exact gradient {_lost(found.exact, found)}",
            "An attack that follows the gradient cannot change an image whose gradient is 0. If "
            f"this happens to more than {percent(HARDLY_ANY)} of the images, the network looks "
            "more robust than it is.",
        ),
    }


def _on_float32(found: Sanity) -> _Words:
    """Put the checks of float32 autograd's gradient into words."""
    return {
        "float32_gradient": (
            "An attack can follow float32 autograd's gradient",
            f"In float32, the gradient {_lost(found.float32, found)}",
            "When a network is confident, float32 rounds the true label's probability to 1 and the "
            "largest term of the gradient to 0. The remaining terms point elsewhere. Most attack "
            "libraries compute the gradient like this; the attacks here do so only on request.",
        ),
        "float32_attack": (
            "Float32 autograd's gradient fools the network as often as the exact one",
            f"{_at(found)}, {percent(found.fgsm_float32 / found.images)} of {_sample(found)} are "
            "misclassified under FGSM with float32 autograd's gradient and "
            f"{percent(found.fgsm / found.images)} with the exact one.",
            "The attack and the network are the same; only the rounding of the gradient differs. "
            "If the exact gradient fools it more often, the other one overstates the network's "
            "robustness. This is gradient masking, caused by rounding alone.",
        ),
    }


def _on_the_strongest(found: Sanity) -> Verdict:
    """Say what PGD misses."""
    beyond, close = found.beyond, found.beyond_pgd <= HARDLY_ANY
    all_tried = beyond.tried == beyond.withstood
    # From some of the images the share is known to about a point.
    more = f"{'' if all_tried else 'about '}{in_percent(found.beyond_pgd, int(all_tried)):g}"
    finding = f"{_at(found)}, {_of_all(beyond.withstood, found)} withstand PGD. "
    if beyond.tried:
        finding += (
            f"The strongest attack here was tried on {'them' if all_tried else 'some of them'}: "
            f"it fools the network on {beyond.found:,} of {beyond.tried:,}. So PGD misses {more} "
            "percentage points."
        )
    return Verdict(
        "PGD is within 1 point of the strongest attack"
        if close
        else f"The strongest attack finds {more} points more than PGD",
        "holds" if close else "lower bound",
        finding.strip(),
        "An attack can miss adversarial images, so its rate is a lower bound: the true rate is at "
        "least as high. How much PGD misses depends on the network and on ε. It is no fault of "
        "either. The strongest attack's rate is a lower bound too.",
    )


def _at(found: Sanity) -> str:
    return f"At ε = {found.epsilon:g}"


def _sample(found: Sanity) -> str:
    return f"a sample of {found.images:,} images"


def _of_all(count: int, found: Sanity) -> str:
    return f"{count:,} of {_sample(found)} ({percent(count / found.images)})"


def _lost(gradient: Vanished, found: Sanity) -> str:
    """Say on how many images a gradient has vanished."""
    said = "loses its largest term, the true label's, on "
    said += _of_all(gradient.label_term, found)
    if gradient.pixels:
        said += f", and is 0 in every pixel on {_of_all(gradient.pixels, found)}"
    return f"{said}."
