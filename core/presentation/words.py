"""What results say in plain words."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from core.attacks import L2, LINF, WAY, Scale
from core.classifier import FloatArray
from core.evaluation.path import AttackPath
from core.recipe import Recipe

if TYPE_CHECKING:  # what is only named here would keep a page waiting that has no use for it
    from core.evaluation.attribution import Explanation
    from core.evaluation.confusion import Mistakes
    from core.evaluation.robustness import Robustness
    from core.evaluation.seeds import Spread


def with_article(digit: int) -> str:
    """The digit as one of its kind: a 7, an 8."""
    return f"an {digit}" if digit == 8 else f"a {digit}"


def on_prediction(probabilities: FloatArray) -> str:
    """What a network sees in an image, given its `(10,)` probabilities."""
    prediction = int(probabilities.argmax())
    sure = f"{100 * probabilities[prediction]:.2f}% sure"
    return f"The network sees {with_article(prediction)} here, {sure}."


def on_path(path: AttackPath, *, label: int, target: int | None = None, noise: bool = False) -> str:
    """What there is to say of one image's way through an attack's budgets.

    Args:
        path: see `core.evaluation.path.follow`.
        label: the digit that the image is meant to be.
        target: the digit that the attack was after, if any.
        noise: whether the attack was itself a random perturbation.
    """
    scale = path.scale
    before = int(path.predictions[0])
    if before != label:
        return f"The network takes this {label} for {with_article(before)} without any attack."
    if scale is WAY and not path.l2_norm[-1]:
        return f"Stays {with_article(before)}: the attack found nothing."
    end = _budget(float(scale.budgets[-1]), scale, exact=False)
    if path.flip is None:
        return f"Stays {with_article(before)} all the way to {end}."
    flips = (
        f"Flips from {before} to {path.flip.after} at {_size(path)}; "
        f"{_control(path.random_flips, noise=noise)}."
    )
    if target is None or target == path.flip.after:
        return flips
    if path.reaches is None:
        return f"{flips} It never becomes {with_article(target)}, up to {end}."
    return f"{flips} It becomes {with_article(target)} at {_budget(path.reaches, scale)}."


def _size(path: AttackPath) -> str:
    """How large the perturbation at a path's flip is."""
    scale, budget = path.scale, path.flip.epsilon if path.flip is not None else 0.0
    if scale is LINF:
        levels = f"{round(budget * 255) or 'less than one'} of 255 grey levels"
        return f"{_budget(budget, scale)}, {levels}"
    if scale is WAY:
        return f"{_budget(budget, scale)}, an L2 norm of {budget * path.l2_norm[-1]:.2f}"
    return _budget(budget, scale)


def _budget(budget: float, scale: Scale, *, exact: bool = True) -> str:
    """A budget in its own measure."""
    if scale is WAY:
        return f"{budget:.0%} of the way" if budget < 1 else "the end of the way"
    if scale is L2:
        return f"an L2 norm of {budget:{'.2f' if exact else 'g'}}"
    if exact and budget < 0.0005:
        return "ε below 0.001"
    return f"ε = {budget:{'.3f' if exact else 'g'}}"


def _control(random_flips: int, *, noise: bool) -> str:
    """How random perturbations compare; to noise they are others of its own kind."""
    of_all = f"of 100 {'other ' if noise else ''}random perturbations of that size"
    also = "" if noise else " too"
    if random_flips == 0:
        return f"none {of_all} does it"
    if random_flips == 1:
        return f"one {of_all} does it{also}"
    return f"{random_flips} {of_all} do it{also}"


def on_recipe(recipe: Recipe) -> str:
    """In what a recipe differs from the course report's."""
    differences = [
        f"{field.name.replace('_', ' ')} {_plain(getattr(recipe, field.name))}"
        for field in fields(Recipe)
        if field.name != "seed" and getattr(recipe, field.name) != field.default
    ]
    if not differences:
        return "The recipe is the report's."
    return f"The recipe is the report's but for: {', '.join(differences)}."


def on_reproducibility(recipe: Recipe, *, engine: str | None = None) -> str:
    """Say whether another processor trains the same network.

    Args:
        recipe: the network's.
        engine: the one that was asked for, if any.
    """
    if recipe.reproducible and engine != "torch":
        return "Every processor trains the same network by this recipe, bit for bit."
    return "PyTorch trains this recipe. Another processor may give a slightly different network."


def on_robustness(found: "Robustness", epsilon: float) -> str:
    """Say how a network fares without and under attack at one of the budgets measured."""
    fgsm, pgd = (found.evasion_rate(attack, epsilon) for attack in ("fgsm", "pgd"))
    return (
        f"test accuracy {found.clean_accuracy:.2%}; at ε = {epsilon:g}, FGSM misleads it on "
        f"{fgsm:.2%} of the test images, PGD on {pgd:.2%}"
    )


def on_spread(spread: "Spread") -> str:
    """Say how much networks differ that differ by their seeds alone."""
    accuracies, rates = (
        f"{low:.1%} to {high:.1%}" for low, high in (spread.clean_accuracy, spread.evasion_rate)
    )
    return (
        f"{spread.networks} networks of this recipe, each with another seed, have test accuracies "
        f"of {accuracies}. PGD at ε = {spread.epsilon:g} misleads them on {rates} of the images."
    )


def _plain(value: object) -> str:
    """A setting as one would write it by hand."""
    if isinstance(value, tuple):
        return "-".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


_ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ")


def on_mistakes(mistakes: "Mistakes") -> str:
    """What a digit is most often mistaken for, as in a table's cell."""
    if not mistakes.images:
        return "no images"
    if not mistakes.labels:
        return "not misclassified"
    *first, last = map(str, mistakes.labels)
    if not first:
        return f"taken for {last} ({mistakes.count:,} of {mistakes.images:,})"
    labels = f"{', '.join(first)} and {last}"
    return f"taken for {labels} alike ({mistakes.count:,} each, of {mistakes.images:,})"


def on_explanation(explanation: "Explanation") -> str:
    """How the decision moved from a digit to a label, and how much of it single pixels explain."""
    digit, label, share = explanation.digit, explanation.label, explanation.linear_share
    many = explanation.images > 1
    images = f"In the mean of {explanation.images:,} images" if many else "In one image"
    moved = (
        f"{images}, the logit of {digit} is {explanation.gap_before:.1f} above that of {label} "
        f"before the attack and {-explanation.gap_after:.1f} below it after."
    )
    by_pixels, explained = "Pixel by pixel, as in a linear model,", round(100 * share)
    bends = "as some ReLUs open and others close on the way"
    if explained == 100:
        return f"{moved} {by_pixels} all of that change is explained."
    if share > 1:
        return (
            f"{moved} {by_pixels} it would have changed {share:.2f} times as much; the rest is "
            f"lost, {bends}."
        )
    return (
        f"{moved} {by_pixels} {explained}\N{NO-BREAK SPACE}% of that change is explained; the "
        f"other {100 - explained}\N{NO-BREAK SPACE}% comes about {bends}."
    )


def on_similarity(digit: int, label: int, place: int) -> str:
    """Whether a digit turns into what it looks like, as the report explains it.

    Args:
        digit: what the images are of.
        label: what they are taken for.
        place: the label's among the nine others, 1 for the most alike; see
            `core.evaluation.similarity.rank`.
    """
    alike = "least alike" if place == 9 else f"{_ORDINALS[place - 1]}most alike"
    said = f"Of the nine other digits, {label} is the {alike} to {digit} by their mean images"
    if place == 1:
        return f"{said}: that the two look alike holds."
    others = "one other does" if place == 2 else f"{place - 1} others do"
    if place <= 3:
        return f"{said}: that the two look alike holds in part, {others} more so."
    return f"{said}: that the two look alike does not explain it, {others} more so."


def on_similarities(places: Sequence[int]) -> str:
    """Whether digits turn into those that they look like, over several digits.

    Args:
        places: of what each digit turns into, as in `on_similarity`.
    """
    if not places:
        return "No digit is misclassified."
    first = sum(place == 1 for place in places)
    average = sum(places) / len(places)
    # A place drawn at random from 1 to 9 is 5 in the mean, with a variance of 20/3.
    chance = 2 * (20 / 3 / len(places)) ** 0.5
    said = (
        f"{first} of {len(places)} digits turn into the one that is most alike to them; the mean "
        f"place is {average:.1f} of 9, where drawing lots would give 5"
    )
    if average >= 5 - chance:
        return f"{said} or so: likeness does not explain what they turn into."
    if first == len(places):
        return f"{said}: likeness explains what they turn into."
    return f"{said}: likeness explains some of what they turn into, not all."
