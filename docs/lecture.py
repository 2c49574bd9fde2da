"""Write the figures into the lecture plan and the worksheet: `python -m docs.lecture`.

Both are Markdown. A figure stands between two comments, which GitHub does not show, for example
`<!-- flip -->0.08<!-- / -->`. This script computes each figure with the shipped networks, replaces
what stands between the comments, and then makes worksheet.html for the printer.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from markdown_it import MarkdownIt

from core import measures
from core.attacks import METHODS, fgsm, noise
from core.classifier import FloatArray
from core.data import mnist
from core.data.mnist import Digits
from core.evaluation import robustness
from core.evaluation.path import AttackPath, follow
from core.evaluation.robustness import Robustness
from core.losses import COTANGENTS, doubt, pixel_gradient, softmax
from core.networks import LIBRARY, Network
from core.recipe import PRESETS

FOLDER = Path(__file__).parent
PLAN, WORKSHEET = FOLDER / "lecture.md", FOLDER / "worksheet.md"
PRINTED = WORKSHEET.with_suffix(".html")
MARKED = re.compile(r"(<!-- (\w+) -->)(.*?)(<!-- / -->)")
STANDARD, ROBUST = "report", "adversarial-pgd"
SEVEN, MISREAD = 0, 720  # test images
EPSILON = 0.1  # of all rates, unless their names say otherwise
FLOAT32 = "float32_autograd"
HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Worksheet: a small change</title>
<style>
@page { margin: 14mm 16mm; }
body { font: 10.5pt/1.4 Arial, Helvetica, sans-serif; max-width: 178mm; margin: auto; color: #000; }
h1 { font-size: 15pt; margin: 0 0 2mm; }
h1 ~ h1 { break-before: page; }
p, ul, ol, table { margin: 0 0 2.5mm; }
table { border-collapse: collapse; }
tr { height: 7mm; }
th, td { border: 1px solid #777; padding: 1mm 3mm; text-align: left; }
li { margin-bottom: 1.5mm; break-inside: avoid; }
@media screen { body { padding: 8mm; } }
</style>
"""


def main() -> None:
    """Write the figures into both files, and the printed worksheet."""
    found = figures(mnist.load("test"))
    for path in (PLAN, WORKSHEET):
        path.write_text(filled(path.read_text("utf-8"), found), "utf-8")
    PRINTED.write_text(to_html(WORKSHEET.read_text("utf-8")), "utf-8")


def filled(text: str, found: Mapping[str, str]) -> str:
    """Return a text with the figures between its comments.

    Raises:
        KeyError: a comment names a figure that there is not.
    """
    return MARKED.sub(lambda match: match[1] + found[match[2]] + match[4], text)


def figures(test: Digits) -> dict[str, str]:
    """Compute all figures, as text by name, rates in per cent.

    They are of all test images, except for PGD's: of every tenth, as on Remedies.
    """
    standard, _ = LIBRARY.load(STANDARD)
    robust, card = LIBRARY.load(ROBUST)
    return {
        **on_one_digit(standard, robust, test),
        **on_the_gradient(standard, test),
        **on_what_it_costs(known(standard), known(robust)),
        **on_mistakes(standard, test),
        "noise_rate": rate(standard, noise(standard, test.x, test.y, EPSILON), test),
        "trained_at": f"{(card.recipe or PRESETS[ROBUST]).adversary_epsilon:g}",
        "seconds": f"{card.train_seconds:.0f}",
    }


def on_one_digit(standard: Network, robust: Network, test: Digits) -> dict[str, str]:
    """Return what attacks do to the 7 that most scenes show."""
    x, label = test.x[[SEVEN]], int(test.y[SEVEN])

    def path(network: Network, attack: str, target: int | None = None) -> AttackPath:
        """Attack the 7 as Draw does."""
        return follow(network, METHODS[attack], x, label, target=target, levels=measures.SCREEN)

    first, random = path(standard, "fgsm"), path(standard, "noise")
    iterated, held = path(standard, "pgd"), path(robust, "pgd")
    assert first.flip and random.flip and iterated.flip and held.flip
    reached = {}
    for digit in range(10):
        if digit != label and (reaches := path(standard, "pgd", digit).reaches) is not None:
            reached[digit] = reaches
    easiest, *_, hardest = sorted(reached, key=reached.__getitem__)
    return {
        "flip": f"{first.flip.epsilon:.2f}",
        "flip_levels": f"{255 * first.flip.epsilon:.0f}",
        "flip_after": str(first.flip.after),
        "random_flips": str(first.random_flips),
        "noise_flip": f"{random.flip.epsilon:.2f}",
        "noise_times": f"{random.flip.epsilon / first.flip.epsilon:.1f}",
        "zero": f"{reached[0]:.2f}",
        "easiest": str(easiest),
        "easiest_at": f"{reached[easiest]:.2f}",
        "hardest": str(hardest),
        "hardest_at": f"{reached[hardest]:.2f}",
        "pgd_after": str(iterated.predictions[np.abs(iterated.scale.budgets - EPSILON).argmin()]),
        "robust_flip": f"{held.flip.epsilon:.2f}",
        "robust_times": f"{held.flip.epsilon / iterated.flip.epsilon:.1f}",
    }


def on_mistakes(standard: Network, test: Digits) -> dict[str, str]:
    """Return a digit that is misread, and how sure the network is when it is wrong."""
    probabilities = softmax(measures.logits(standard, test.x))
    predictions = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)[predictions != test.y]
    return {
        "misread_label": str(test.y[MISREAD]),
        "misread_as": str(predictions[MISREAD]),
        "sure_and_wrong": f"{100 * (sure > 0.9).mean():.0f}",
    }


def on_the_gradient(standard: Network, test: Digits) -> dict[str, str]:
    """Return how FGSM does with the exact gradient and with the one that float32 rounds."""
    x, y = test.x, test.y
    logits = measures.logits(standard, x)
    own_term = COTANGENTS[FLOAT32](logits, y)[np.arange(len(y)), y]
    seven = x[[SEVEN]], y[[SEVEN]]
    exact, rounded = (
        np.sign(pixel_gradient(standard, *seven, gradient=name)) for name in ("exact", FLOAT32)
    )
    return {
        "exact_rate": rate(standard, fgsm(standard, x, y, EPSILON), test),
        "float32_rate": rate(standard, fgsm(standard, x, y, EPSILON, gradient=FLOAT32), test),
        "lost": f"{100 * (own_term == 0).mean():.0f}",
        "wrong_signs": f"{100 * (exact != rounded).mean():.0f}",
        "doubt": f"{1e9 * doubt(logits, y)[SEVEN]:.0f}",  # in billionths
    }


def on_what_it_costs(standard: Robustness, robust: Robustness) -> dict[str, str]:
    """Return accuracies and evasion rates of both networks, and the differences of those shown."""
    found = {}
    for name, each in (("standard", standard), ("robust", robust)):
        found[f"{name}_accuracy"] = f"{100 * each.clean_accuracy:.1f}"
        for epsilon in (0.1, 0.2, 0.3):
            evaded = 100 * each.evasion_rate("pgd", epsilon)
            found[f"{name}_pgd_{10 * epsilon:.0f}"] = f"{evaded:.1f}"
    cost = float(found["standard_accuracy"]) - float(found["robust_accuracy"])
    gain = float(found["standard_pgd_1"]) - float(found["robust_pgd_1"])
    return {
        **found,
        "standard_wrong": f"{standard.images * (1 - standard.clean_accuracy):.0f}",
        "cost": f"{cost:.1f}",
        "cost_images": f"{standard.images * cost / 100:,.0f}",
        "gain": f"{gain:.1f}",
        "gain_images": f"{standard.attacked * gain / 100:,.0f}",
    }


def known(network: Network) -> Robustness:
    """Return what Remedies shows of a shipped network.

    Raises:
        LookupError: it has not been measured.
    """
    found = robustness.cached(network)
    if found is None:
        raise LookupError("a network has changed; measure it first: python -m core measure")
    return found


def rate(network: Network, x_adv: FloatArray, test: Digits) -> str:
    """Return an evasion rate as text, in per cent."""
    return f"{100 * measures.evasion_rate(network, x_adv, test.y):.1f}"


def to_html(worksheet: str) -> str:
    """Return the worksheet as a HTML file that prints on two pages, the solutions on the second."""
    text = MARKED.sub(r"\3", worksheet).replace("ε = ", "ε&nbsp;=&nbsp;")
    body = MarkdownIt("commonmark").enable("table").render(text)
    return f"{HEAD}{body}</html>\n"


if __name__ == "__main__":
    main()
