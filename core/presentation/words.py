"""Results in plain words, and numbers as text."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from core.attacks import L2, LINF, METHODS, WAY, Scale
from core.classifier import FloatArray
from core.data.prototypes import FARTHEST, GROUPS
from core.evaluation.path import AttackPath, Flip
from core.networks import shown_name
from core.recipe import RAMPED_UP, Recipe

if TYPE_CHECKING:  # importing these would slow down pages that have no use for them
    from core.evaluation.attribution import Explanation
    from core.evaluation.confusion import Mistakes
    from core.evaluation.robustness import Robustness
    from core.evaluation.seeds import Spread
    from core.networks import Card


# Numbers


def percent(share: float, digits: int = 1) -> str:
    """Return a share in [0, 1] in per cent, with `digits` decimals and a no-break space."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def in_percent(share: float, digits: int = 1) -> float:
    """Return the number that `percent` shows."""
    return float(f"{100 * share:.{digits}f}")


def points(share: float, other: float, digits: int = 1) -> float:
    """Return by how many percentage points two shares differ, as a reader of both computes it.

    Both are rounded as `percent` rounds them: the difference of 99.41 % and 99.55 % is −0.14.
    """
    return round(in_percent(share, digits) - in_percent(other, digits), digits)


def signed(difference: float, digits: int = 1) -> str:
    """Return a difference with its sign, and with the character that is a minus."""
    return f"{difference:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def with_article(digit: int) -> str:
    """Return a digit with its article: a 7, an 8."""
    return f"an {digit}" if digit == 8 else f"a {digit}"


# One image


def on_prediction(probabilities: FloatArray) -> str:
    """Say what a network sees in a clean image, given its `(10,)` probabilities."""
    prediction = int(probabilities.argmax())
    share = float(probabilities[prediction])
    sure = percent(share, 2) if share <= 0.9999 else f"more than {percent(0.9999, 2)}"
    return f"Without attack: {with_article(prediction)}, {sure} sure."


def on_no_digit(distance: float) -> str:
    """Say that an image looks like no digit; see `core.data.prototypes` for the distances."""
    return (
        "This does not look like a digit. The network knows only digits and always answers with "
        "one. (By the directions of its edges, its distance to the nearest of "
        f"{10 * GROUPS} typical digits is {distance:.2f}. For 99 of 100 test digits it is at most "
        f"{FARTHEST:.2f}.)"
    )


def on_path(
    path: AttackPath,
    *,
    label: int,
    target: int | None = None,
    noise: bool = False,
    control: bool = True,
) -> str:
    """Say what an attack does to one image as its budget grows.

    Args:
        path: see `core.evaluation.path.follow`.
        label: the true label.
        target: the attack's target, if any.
        noise: whether the attack is a random perturbation itself.
        control: whether to say what random perturbations of that size do.
    """
    scale = path.scale
    before = int(path.predictions[0])
    if before != label:
        return f"The network takes this {label} for {with_article(before)} without any attack."
    end = _budget(float(scale.budgets[-1]), scale, exact=False)
    if path.undone:
        return (
            f"Stays {with_article(before)} up to {end}. The attack did find adversarial images, "
            "but rounding to a screen's 256 grey levels undoes them."
        )
    if scale is WAY and not path.l2_norm[-1]:
        return f"Stays {with_article(before)}: the attack found no adversarial example."
    if path.flip is None:
        return f"Stays {with_article(before)} up to {end}."
    # A path that is not straight may have flipped below and flipped back, unseen.
    at = "at" if path.straight else "by"
    flips = f"Flips from {before} to {path.flip.after} {at} {_size(path.flip, scale)}"
    flips += f"; {_control(path.random_flips, noise=noise)}." if control else "."
    if scale is WAY and path.flip.epsilon > 1:
        flips += (
            f" {percent(1, 0)} is the change that the attack found. Rounded to a screen's 256 grey "
            f"levels, it takes {percent(path.flip.epsilon)}."
        )
    if target is None or target == path.flip.after:
        return flips
    if path.reaches is None:
        return f"{flips} It never becomes {with_article(target)}, up to {end}."
    return f"{flips} It becomes {with_article(target)} {at} {_budget(path.reaches, scale)}."


def _size(flip: Flip, scale: Scale) -> str:
    """Return the size of the perturbation at a flip."""
    budget = flip.epsilon
    if scale is LINF:
        levels = f"{round(budget * 255) or 'less than one'} of 255 grey levels"
        return f"{_budget(budget, scale)}, {levels}"
    if scale is WAY:
        return f"{_budget(budget, scale)}, an L2 norm of {flip.l2_norm:.2f}"
    return _budget(budget, scale)


def _budget(budget: float, scale: Scale, *, exact: bool = True) -> str:
    """Return a budget with its unit."""
    if scale is WAY:
        return f"{percent(budget, 1 if exact else 0)} of the change"
    if scale is L2:
        return f"an L2 norm of {budget:{'.2f' if exact else 'g'}}"
    if exact and budget < 0.0005:
        return "ε below 0.001"
    return f"ε = {budget:{'.3f' if exact else 'g'}}"


def _control(random_flips: int, *, noise: bool) -> str:
    """Say how many random perturbations flip the prediction as well."""
    count = {0: "none", 1: "one"}.get(random_flips, str(random_flips))
    other, too = ("other ", "") if noise else ("", " too" if random_flips else "")
    verb = "flip" if random_flips > 1 else "flips"
    return f"{count} of 100 {other}random perturbations of that size {verb} it{too}"


# Networks and recipes

# What is special about each shipped network, and about the recipe of its name.
SPECIAL = MappingProxyType(
    {
        "report": "the course report's recipe; most others change one thing in it",
        "augmentation": "learns from images turned, shifted and scaled at random",
        "dropout": "hidden units are switched off at random while it learns",
        "weight-decay": "its weights are kept small",
        "schedule": "the learning rate falls from epoch to epoch",
        "adam": "each weight has a step size of its own",
        "early-stopping": "stops when the loss on other images no longer falls",
        "ensemble": "five networks, their probabilities averaged",
        "first-digits": "learns the digits 0 to 4 alone",
        "few-images": "learns from 500 images alone",
        "transfer": "starts from first-digits and learns from 500 images",
        "batch-norm": "the inputs of its hidden units are normalised",
        "convolutional": "LeNet-5: convolutions, the same small weights all over the image",
        "adversarial-fgsm": "learns from images attacked in one step",
        "adversarial-pgd": "learns from images attacked by PGD",
        "certified": "learns from bounds on every small change, so that a proof succeeds",
        "all-together": "most of these remedies at once",
        "any-hand": "learns from distorted digits to read anybody's handwriting",
    }
)


def on_networks(names: Iterable[str]) -> str:
    """Return a list in Markdown of what is special about the shipped networks among these."""
    return "\n".join(
        f"- **{shown_name(name)}**: {SPECIAL[name]}" for name in names if name in SPECIAL
    )


def on_origin(card: "Card") -> str:
    """Say where a network comes from that another program trained, and how its pixels are read."""
    # Most pages have no such network and start without what reads its file.
    from core.networks.foreign.pixels import PIXELS

    if card.origin is None:
        return "This program trained the network."
    pixels = PIXELS.get(card.origin.pixels)
    read = pixels.words if pixels else card.origin.pixels
    return (
        f"Another program trained this network, and its {card.origin.program} file was imported. "
        f"How it was trained is not known. Its training read pixels as {read}; that is part of the "
        "network now, so ε stays in pixels from 0 to 1."
    )


def on_reproducibility(recipe: Recipe, *, engine: str | None = None) -> str:
    """Say whether another processor trains the same network; `engine` is the one asked for."""
    if recipe.reproducible and engine != "torch":
        return "The compiled engine trains the same network on every processor, bit for bit."
    return "PyTorch trains this recipe. Another processor may give a slightly different network."


def on_training_numbers(recipe: Recipe) -> str:
    """Say what the training loss and accuracy of a log count, if not the images themselves."""
    if recipe.adversary == "none":
        return ""
    if recipe.adversary == "interval":
        return (
            "The training loss is the mean of two: of the images, and of the worst that any change "
            f"within ε could do. ε grows from 0 to {recipe.adversary_epsilon:g} in the first "
            f"{percent(RAMPED_UP, 0)} of the epochs. Training accuracy counts the images that are "
            "proved within ε, validation accuracy the images as they are."
        )
    return (
        "Training loss and accuracy are of attacked images, validation loss and accuracy of the "
        "images as they are."
    )


def on_nothing_learned(recipe: Recipe) -> str:
    """Say that a training has learned nothing, and which of its settings to change."""
    standard = Recipe()
    momentum = recipe.optimizer == "momentum"
    rate = recipe.learning_rate
    larger = rate < standard.learning_rate and recipe.optimizer == "sgd"
    changes = {
        f"a {'larger' if larger else 'smaller'} learning rate than {rate:g}": True,
        "SGD without momentum, whose steps are a tenth as large": momentum,
        "fewer frozen layers": recipe.frozen > 0,
        "less dropout": recipe.dropout > 0,
        "less weight decay": recipe.weight_decay > 0,
        "a smaller ε for the attack while training": recipe.adversary != "none",
    }
    return (
        "This network has learned nothing: on its own training images it is right no more often "
        "than if it always gave the most frequent digit. Try "
        f"{', or '.join(change for change, helps in changes.items() if helps)}."
    )


def on_robustness(found: "Robustness", epsilon: float) -> str:
    """Say how a network does without an attack and under attacks at a budget that was measured."""
    rates = ", ".join(
        f"{METHODS[attack].title} {percent(found.evasion_rate(attack, epsilon))}"
        for attack in found.evasion_rates
    )
    proved = found.proved(epsilon)
    share = "" if proved is None else f"; {percent(proved)} are proved safe"
    return (
        f"test accuracy {percent(found.clean_accuracy, 2)}; of {found.attacked:,} images at "
        f"ε = {epsilon:g}, these are fooled: {rates}{share}"
    )


def on_spread(spread: "Spread") -> str:
    """Say how much networks of one recipe with different seeds differ."""
    accuracies, rates = (
        f"{percent(low)} to {percent(high)}"
        for low, high in (spread.clean_accuracy, spread.evasion_rate)
    )
    return (
        f"{spread.networks} networks of this recipe, each with a different seed, have test "
        f"accuracies from {accuracies}. At ε = {spread.epsilon:g}, the strongest attack here fools "
        f"them on at least {rates} of the images."
    )


# What digits are mistaken for, and why


def on_mistakes(mistakes: "Mistakes") -> str:
    """Say what a digit is most often mistaken for, for the cell of a table."""
    if not mistakes.images:
        return "no images"
    if not mistakes.labels:
        return "not misclassified"
    *first, last = map(str, mistakes.labels)
    if not first:
        return f"taken for {last} ({mistakes.count:,} of {mistakes.images:,})"
    labels = f"{', '.join(first)} and {last}"
    return f"taken for {labels} equally often ({mistakes.count:,} each, of {mistakes.images:,})"


def on_explanation(explanation: "Explanation") -> str:
    """Say how the decision moved from a digit to a label, and how much single pixels explain."""
    digit, label, share = explanation.digit, explanation.label, explanation.linear_share
    many = explanation.images > 1
    images = f"On average over {explanation.images:,} images" if many else "In one image"
    moved = (
        f"{images}, the logit of {digit} is {explanation.gap_before:.1f} above that of {label} "
        f"before the attack and {-explanation.gap_after:.1f} below it after the attack."
    )
    explained, bends = (
        round(100 * share),
        "because the attack switches some units on and others off",
    )
    if explained == 100:
        return f"{moved} A linear model of the pixels explains all of this change."
    if share > 1:
        return (
            f"{moved} A linear model of the pixels predicts a change {share:.2f} times as large. "
            f"The change is smaller {bends}."
        )
    return (
        f"{moved} A linear model of the pixels explains {percent(explained / 100, 0)} of this "
        f"change. The other {percent(1 - explained / 100, 0)} occurs {bends}."
    )


def on_certainty(medians: FloatArray, *, norm: str, images: int) -> str:
    """Say which digits are the most certain, in Markdown.

    Args:
        medians: `(10,)`, see `core.evaluation.certainty.Certainty.median_by_digit`.
        norm: "linf" or "l2".
        images: how many images they are of.
    """
    digits = sorted(
        (digit for digit in range(len(medians)) if medians[digit] == medians[digit]),
        key=lambda digit: -medians[digit],
    )
    decimals = 3 if norm == "linf" else 2
    each = [f"**{digit}**\N{NO-BREAK SPACE}({medians[digit]:.{decimals}f})" for digit in digits]
    unit = "" if norm == "linf" else " in the L2 norm"
    return (
        f"The most certain digits, by the ε{unit} up to which a digit's median image is proved: "
        f"{', '.join(each)}. Of {images:,} images; a misread one counts as 0."
    )


_ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ")


def on_similarity(digit: int, label: int, place: int) -> str:
    """Say whether similarity explains why a digit is taken for a label.

    Args:
        digit: the digit of the images.
        label: what the images are taken for.
        place: the label's rank; see `core.evaluation.similarity.rank`.
    """
    most = "least" if place == 9 else f"{_ORDINALS[place - 1]}most"
    said = f"Of the nine other digits, {label} is the {most} similar to {digit} by its mean image."
    if place == 1:
        return f"{said} So the two do look similar."
    others = "1 other digit is" if place == 2 else f"{place - 1} other digits are"
    holds = "explains only part of this" if place <= 3 else "does not explain this"
    return f"{said} Similarity {holds}: {others} more similar."


def on_similarities(places: Sequence[int]) -> str:
    """Say whether similarity explains what several digits turn into, given the labels' ranks."""
    if not places:
        return "No digit is misclassified."
    first = sum(place == 1 for place in places)
    average = sum(places) / len(places)
    # A rank drawn at random from 1 to 9 has the mean 5 and the variance 20/3.
    chance = 2 * (20 / 3 / len(places)) ** 0.5
    turn = "turns into its" if first == 1 else "turn into their"
    said = (
        f"{first} of {len(places)} digits {turn} most similar digit. The mean rank is "
        f"{average:.1f} of 9; ranks drawn at random would give 5."
    )
    if average >= 5 - chance:
        return f"{said} Similarity does not explain what digits turn into."
    if first == len(places):
        return f"{said} Similarity explains what digits turn into."
    return f"{said} Similarity explains part of what digits turn into."
