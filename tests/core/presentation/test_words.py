import dataclasses
import re

import numpy as np
import pytest

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


def test_a_share_in_per_cent() -> None:
    assert words.percent(0.12345) == "12.3\N{NO-BREAK SPACE}%"
    assert words.percent(1, digits=2) == "100.00\N{NO-BREAK SPACE}%"


def test_a_recipe_is_told_by_what_it_changes() -> None:
    assert words.on_recipe(Recipe()) == words.on_recipe(Recipe(seed=5))
    changed = Recipe(hidden=(300, 100), epochs=5, flip=True, dropout=0.25)
    assert words.on_recipe(changed).endswith(": hidden 300-100, epochs 5, dropout 0.25, flip yes.")
    assert words.on_recipe(Recipe(hidden=())).endswith(": hidden none.")


@pytest.mark.parametrize(
    ("labels", "count", "images", "numbers"),
    [
        ((9,), 412, 980, ["9", "412", "980"]),
        ((3, 5), 12, 980, ["3", "5", "12", "980"]),
        ((1, 3, 5), 1200, 6000, ["1", "3", "5", "1,200", "6,000"]),
        ((), 0, 980, []),
        ((), 0, 0, []),
    ],
)
def test_mistakes(labels: tuple[int, ...], count: int, images: int, numbers: list[str]) -> None:
    mistakes = Mistakes(0, images, misclassified=500, labels=labels, count=count)
    assert re.findall(r"[\d,]*\d", words.on_mistakes(mistakes)) == numbers


@pytest.mark.parametrize(
    ("linear", "images", "numbers"),
    [
        (-8.3, 81, ["81", "4", "6.0", "9", "4.0", "83", "17"]),
        (-8.3, 1, ["4", "6.0", "9", "4.0", "83", "17"]),
        (-12, 81, ["81", "4", "6.0", "9", "4.0", "1.20"]),
        (-10.02, 81, ["81", "4", "6.0", "9", "4.0"]),  # all of it
    ],
)
def test_an_explanation(linear: float, images: int, numbers: list[str]) -> None:
    said = words.on_explanation(
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
    assert re.findall(r"\d+(?:\.\d+)?", said) == numbers


def test_similarity() -> None:
    said = [words.on_similarity(0, 7, place) for place in range(1, 10)]
    assert [re.findall(r"\d+", sentence)[:2] for sentence in said] == [["7", "0"]] * 9
    assert [re.findall(r"\d+", sentence)[2:] for sentence in said[1:]] == [
        [str(others)] for others in range(1, 9)
    ]
    assert "the second most similar" in said[1]
    assert "the least similar" in said[8]
    holds = ["not" in sentence for sentence in said]
    assert holds == [False] * 3 + [True] * 6


def test_similarities() -> None:
    some = words.on_similarities([1, 1, 1, 2, 3, 4, 2, 6, 3, 2])
    assert re.findall(r"\d+(?:\.\d+)?", some) == ["3", "10", "2.5", "9", "5"]
    none = words.on_similarities([5, 4, 6, 1, 9, 5, 5, 5, 5, 5])
    every = words.on_similarities([1] * 10)
    assert [said.rsplit(". ", 1)[1].split()[1:3] for said in (none, some, every)] == [
        ["does", "not"],
        ["explains", "part"],
        ["explains", "what"],
    ]
    assert "does not" in words.on_similarities([1])  # one digit's rank may be chance
    assert not re.search(r"\d", words.on_similarities([]))
