"""Sentences about the checks of whether an evaluation can be trusted."""

from dataclasses import dataclass

from core.evaluation.sanity import HARDLY_ANY, MOST, NEARLY_ALL, Sanity, Vanished
from core.presentation.words import percent


@dataclass(frozen=True)
class Verdict:
    """One check in words.

    Attributes:
        title: what should hold.
        passed: whether it does.
        finding: the measured numbers, each with its denominator.
        meaning: why it matters, and what a failure means.
    """

    title: str
    passed: bool
    finding: str
    meaning: str


def verdicts(found: Sanity) -> tuple[Verdict, ...]:
    """Put the checks of `core.evaluation.sanity.measure` into words, in its order."""

    def share(count: int) -> str:
        return percent(count / found.images)

    def of_all(count: int) -> str:
        return f"{count:,} of {sample} ({share(count)})"

    def lost(gradient: Vanished) -> str:
        said = f"loses its largest term, the true label's, on {of_all(gradient.label_term)}"
        return said + (
            f", and is 0 in every pixel on {of_all(gradient.pixels)}." if gradient.pixels else "."
        )

    sample = f"a sample of {found.images:,} images"
    at, misclassified = f"At ε = {found.epsilon:g}", f"of {sample}"
    rising = ", ".join(f"{share(count)} at ε = {budget:g}" for budget, count in found.pgd)
    words = {
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
        "gradient": (
            "An attack can follow the exact gradient",
            f"The exact gradient {lost(found.exact)}",
            "An attack that follows the gradient cannot change an image whose gradient is 0. If "
            f"this happens to more than {percent(HARDLY_ANY)} of the images, the network looks "
            "more robust than it is.",
        ),
        "float32_gradient": (
            "An attack can follow float32 autograd's gradient",
            f"In float32, the gradient {lost(found.float32)}",
            "When a network is confident, float32 rounds the true label's probability to 1 and the "
            "largest term of the gradient to 0. The remaining terms point elsewhere. Most attack "
            "libraries compute the gradient like this; the attacks here do so only on request.",
        ),
        "float32_attack": (
            "Float32 autograd's gradient fools the network as often as the exact one",
            f"{at}, {share(found.fgsm_float32)} {misclassified} are misclassified under FGSM with "
            f"float32 autograd's gradient and {share(found.fgsm)} with the exact one.",
            "The attack and the network are the same; only the rounding of the gradient differs. "
            "If the exact gradient fools it more often, the other one overstates the network's "
            "robustness. This is gradient masking, caused by rounding alone.",
        ),
        "rounding": (
            "Fooled images survive rounding to a screen's 256 grey levels",
            f"{at}, FGSM fools the network on {found.fgsm_rounding.misled:,} images that "
            f"were classified correctly before; {found.fgsm_rounding.survive:,} of them stay "
            f"misclassified when rounded. PGD fools it on {found.pgd_rounding.misled:,}, and "
            f"{found.pgd_rounding.survive:,} stay. At least {percent(MOST, 0)} are expected.",
            "The pixels of the attack's own images are float numbers. A screen or a picture file "
            "rounds them to 256 grey levels. If many images don't survive this, the "
            "rates tell little about pictures that one can show or save.",
        ),
    }
    return tuple(
        Verdict(title, found.passed[name], finding, meaning)
        for name, (title, finding, meaning) in words.items()
    )
