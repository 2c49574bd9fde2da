import dataclasses

import numpy as np

from core.attacks import L2, LINF, WAY
from core.evaluation.attribution import Explanation
from core.evaluation.confusion import Mistakes
from core.evaluation.path import AttackPath, Flip
from core.presentation import words
from core.recipe import Recipe

PATH = AttackPath(
    scale=LINF,
    x_adv=np.zeros((3, 784)),
    probabilities=np.eye(10)[[7, 7, 9]],
    l2_norm=np.zeros(3),
    flip=Flip(0.0683, 7, 9),
    reaches=None,
)


def test_a_prediction() -> None:
    said = words.on_prediction(np.array([0.0007, 0, 0, 0, 0, 0, 0, 0, 0.9993, 0]))
    assert said == "The network sees an 8 here, 99.93% sure."


def test_a_flip() -> None:
    assert words.on_path(PATH, label=7) == (
        "Flips from 7 to 9 at ε = 0.068, 17 of 255 grey levels; "
        "none of 100 random perturbations of that size does it."
    )
    assert "; one of 100 random" in words.on_path(
        dataclasses.replace(PATH, random_flips=1), label=7
    )
    assert "; 12 of 100 random perturbations of that size do it too." in words.on_path(
        dataclasses.replace(PATH, random_flips=12), label=7
    )


def test_noise_is_compared_with_others_of_its_kind() -> None:
    said = words.on_path(dataclasses.replace(PATH, random_flips=50), label=7, noise=True)
    assert said.endswith("; 50 of 100 other random perturbations of that size do it.")


def test_an_eight_has_another_article() -> None:
    still = dataclasses.replace(PATH, flip=None, probabilities=np.eye(10)[[8, 8, 8]])
    assert words.on_path(still, label=8) == "Stays an 8 all the way to ε = 0.5."
    assert "this 1 for an 8 without" in words.on_path(still, label=1)
    assert words.on_path(PATH, label=7, target=8).endswith("an 8, up to ε = 0.5.")


def test_a_flip_smaller_than_a_grey_level() -> None:
    tiny = dataclasses.replace(PATH, flip=Flip(0.0011, 5, 1))
    said = words.on_path(tiny, label=7)
    assert "at ε = 0.001, less than one of 255 grey levels;" in said
    tiny = dataclasses.replace(PATH, flip=Flip(0.0001, 5, 1))
    said = words.on_path(tiny, label=7)
    assert "at ε below 0.001, less than one of 255 grey levels;" in said


def test_a_target() -> None:
    def with_target(target: int, reaches: float | None) -> str:
        path = dataclasses.replace(PATH, reaches=reaches)
        return words.on_path(path, label=7, target=target)

    assert with_target(3, 0.2).endswith("does it. It becomes a 3 at ε = 0.200.")
    assert with_target(3, None).endswith("It never becomes a 3, up to ε = 0.5.")
    assert with_target(9, 0.0683).endswith("does it.")


def test_budgets_of_the_l2_norm_and_shares_of_the_way() -> None:
    path = dataclasses.replace(PATH, scale=L2, flip=Flip(1.234, 7, 9), reaches=1.5)
    assert words.on_path(path, label=7, target=3) == (
        "Flips from 7 to 9 at an L2 norm of 1.23; none of 100 random perturbations of that size "
        "does it. It becomes a 3 at an L2 norm of 1.50."
    )
    still = dataclasses.replace(path, flip=None)
    assert words.on_path(still, label=7) == ("Stays a 7 all the way to an L2 norm of 5.")
    path = dataclasses.replace(
        PATH,
        scale=WAY,
        l2_norm=np.array([0, 1.0, 2.0]),
        flip=Flip(0.98, 7, 9),
    )
    assert words.on_path(path, label=7).startswith(
        "Flips from 7 to 9 at 98% of the way, an L2 norm of 1.96; "
    )
    nothing = dataclasses.replace(path, l2_norm=np.zeros(3), flip=None)
    assert words.on_path(nothing, label=7) == ("Stays a 7: the attack found nothing.")


def test_no_flip_and_no_need_of_one() -> None:
    still = dataclasses.replace(PATH, flip=None)
    assert words.on_path(still, label=7) == "Stays a 7 all the way to ε = 0.5."
    assert words.on_path(PATH, label=1) == ("The network takes this 1 for a 7 without any attack.")


def test_a_recipe_is_told_by_what_it_changes() -> None:
    assert words.on_recipe(Recipe()) == "The recipe is the report's."
    assert words.on_recipe(Recipe(seed=5)) == "The recipe is the report's."
    changed = Recipe(hidden=(300, 100), epochs=5, flip=True, dropout=0.25)
    assert words.on_recipe(changed) == (
        "The recipe is the report's but for: hidden 300-100, epochs 5, dropout 0.25, flip yes."
    )
    assert "hidden none" in words.on_recipe(Recipe(hidden=()))


def mistakes(labels: tuple[int, ...], count: int, *, images: int = 980) -> Mistakes:
    return Mistakes(0, images, misclassified=500, labels=labels, count=count)


def test_mistakes() -> None:
    assert words.on_mistakes(mistakes((9,), 412)) == "taken for 9 (412 of 980)"
    assert words.on_mistakes(mistakes((3, 5), 12)) == ("taken for 3 and 5 alike (12 each, of 980)")
    assert words.on_mistakes(mistakes((1, 3, 5), 1200, images=6000)) == (
        "taken for 1, 3 and 5 alike (1,200 each, of 6,000)"
    )
    assert words.on_mistakes(mistakes((), 0)) == "not misclassified"
    assert words.on_mistakes(mistakes((), 0, images=0)) == "no images"


def test_an_explanation() -> None:
    def said(linear: float, *, images: int = 81) -> str:
        return words.on_explanation(
            Explanation(
                digit=4,
                label=9,
                images=images,
                digit_mean=np.zeros(784),
                label_mean=None,
                perturbation=np.zeros(784),
                gap_before=6.0,
                gap_after=-4.0,
                contributions=np.full(784, linear / 784),
                remainder=-10 - linear,
            )
        )

    assert said(-8.3) == (
        "In the mean of 81 images, the logit of 4 is 6.0 above that of 9 before the attack and 4.0 "
        "below it after. Pixel by pixel, as in a linear model, 83\N{NO-BREAK SPACE}% of that "
        "change is explained; the other 17\N{NO-BREAK SPACE}% comes about as some ReLUs open and "
        "others close on the way."
    )
    assert "In one image, the logit" in said(-8.3, images=1)
    assert "it would have changed 1.20 times as much; the rest is lost, as" in said(-12)
    assert said(-10.02).endswith("as in a linear model, all of that change is explained.")


def test_similarity() -> None:
    assert words.on_similarity(4, 9, 1) == (
        "Of the nine other digits, 9 is the most alike to 4 by their mean images: that the two "
        "look alike holds."
    )
    assert "the second most alike to 0 by" in words.on_similarity(0, 2, 2)
    assert words.on_similarity(0, 2, 2).endswith("holds in part, one other does more so.")
    assert words.on_similarity(0, 2, 3).endswith("holds in part, 2 others do more so.")
    assert "the fourth most alike to 0 by" in words.on_similarity(0, 2, 4)
    assert words.on_similarity(0, 2, 4).endswith("does not explain it, 3 others do more so.")
    assert "1 is the least alike to 0 by" in words.on_similarity(0, 1, 9)
    for place in range(4, 9):
        assert f" {place - 1} others" in words.on_similarity(0, 1, place)


def test_similarities() -> None:
    assert words.on_similarities([1, 1, 1, 2, 3, 4, 2, 6, 3, 2]) == (
        "3 of 10 digits turn into the one that is most alike to them; the mean place is 2.5 of 9, "
        "where drawing lots would give 5: likeness explains some of what they turn into, not all."
    )
    assert words.on_similarities([5, 4, 6, 1, 9, 5, 5, 5, 5, 5]).endswith(
        "would give 5 or so: likeness does not explain what they turn into."
    )
    assert words.on_similarities([1] * 10).endswith("5: likeness explains what they turn into.")
    assert words.on_similarities([]) == "No digit is misclassified."
    # One digit alone could have drawn its place.
    assert "or so" in words.on_similarities([1])
