import dataclasses
import re
from typing import Any

import numpy as np
import pytest

from core.attacks import L2, LINF, WAY
from core.evaluation.attribution import Explanation
from core.evaluation.confusion import Mistakes
from core.evaluation.path import AttackPath, Flip
from core.presentation import words
from core.recipe import RAMPED_UP, Recipe

PATH = AttackPath(
    scale=LINF,
    x_adv=np.zeros((3, 784)),
    probabilities=np.eye(10)[[7, 7, 9]],
    l2_norm=np.zeros(3),
    flip=Flip(0.0683, 7, 9, 1.5),
    reaches=None,
)


def numbers(said: str) -> str:
    return " ".join(re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", said))


def on_path(
    *, target: int | None = None, label: int = 7, noise: bool = False, **changed: Any
) -> str:
    path = dataclasses.replace(PATH, **changed)
    return words.on_path(path, label=label, target=target, noise=noise)


def test_the_most_certain_digits_come_first() -> None:
    medians = np.array([0.034, 0.02, np.nan, *(0.001 * digit for digit in range(3, 10))])
    said = words.on_certainty(medians, norm="linf", images=1000)
    assert re.findall(r"\*\*(\d)", said) == ["0", "1", "9", "8", "7", "6", "5", "4", "3"]
    assert numbers(said).endswith("3 0.003 1,000 0")
    assert "9**\N{NO-BREAK SPACE}(0.01)" in words.on_certainty(medians, norm="l2", images=10)


def test_a_prediction() -> None:
    said = words.on_prediction(np.array([0.0007, 0, 0, 0, 0, 0, 0, 0, 0.9993, 0]))
    assert numbers(said) == "8 99.93"
    assert " an 8," in said
    said = words.on_prediction(np.array([0, 0, 0.99995, 0.00005, 0, 0, 0, 0, 0, 0]))
    assert numbers(said) == "2 99.99"  # not 100.00
    assert "more than" in said


WAY_TO_9 = {"scale": WAY, "l2_norm": np.array([0, 1.0, 2.0]), "flip": Flip(0.983, 7, 9, 1.96)}
UNDONE = {"flip": None, "undone": True}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "7 9 0.068 17 255 100"),  # before, after, ε, grey levels of 255; none of 100 random
        ({"random_flips": 12}, "7 9 0.068 17 255 12 100"),
        ({"flip": Flip(0.0011, 5, 1, 0.03)}, "7 1 0.001 255 100"),  # less than one grey level
        ({"flip": Flip(0.0001, 5, 1, 0.0)}, "7 1 0.001 255 100"),  # below 0.001
        ({"target": 3, "reaches": 0.2}, "7 9 0.068 17 255 100 3 0.200"),
        ({"target": 3}, "7 9 0.068 17 255 100 3 0.5"),  # never, up to 0.5
        ({"target": 9, "reaches": 0.0683}, "7 9 0.068 17 255 100"),
        ({"flip": None}, "7 0.5"),  # stays up to 0.5
        ({"label": 1}, "1 7"),  # misclassified without an attack
        ({"scale": L2, "flip": Flip(1.234, 7, 9, 1.23)}, "7 9 2 1.23 100"),
        ({"scale": L2, "flip": None}, "7 2 5"),
        (WAY_TO_9, "7 9 98.3 2 1.96 100"),
        # Beyond the attack's own image, whose flip rounding to 256 levels undoes.
        ({**WAY_TO_9, "flip": Flip(1.002, 7, 9, 2.0)}, "7 9 100.2 2 2.00 100 100 256 100.2"),
        ({**WAY_TO_9, **UNDONE}, "7 105 256"),
        ({**WAY_TO_9, **UNDONE, "l2_norm": np.zeros(3)}, "7 105 256"),
        (UNDONE, "7 0.5 256"),
        ({**WAY_TO_9, "l2_norm": np.zeros(3), "flip": None}, "7"),  # nothing found
    ],
)
def test_a_path_is_told_by_its_numbers(changed: dict[str, Any], said: str) -> None:
    assert numbers(on_path(**changed)) == said


def test_what_differs_by_a_word() -> None:
    assert "below" in on_path(flip=Flip(0.0001, 5, 1, 0.0))
    assert "below" not in on_path(flip=Flip(0.0011, 5, 1, 0.03))
    assert "never" in on_path(target=3)
    assert " at ε" in on_path(target=3, reaches=0.2)
    assert " by ε" not in on_path(target=3, reaches=0.2)
    assert on_path(target=3, reaches=0.2, straight=False).count(" by ε") == 2
    assert "; one of 100 random" in on_path(random_flips=1)
    assert "random" not in words.on_path(PATH, label=7, control=False)
    assert "other random" in on_path(random_flips=50, noise=True)
    assert "an 8" in on_path(flip=None, probabilities=np.eye(10)[[8, 8, 8]], label=8)


def test_a_share_in_per_cent() -> None:
    assert words.percent(0.12345) == "12.3\N{NO-BREAK SPACE}%"
    assert words.percent(1, digits=2) == "100.00\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("changes", "named", "not_named"),
    [
        ({"optimizer": "momentum", "learning_rate": 0.5}, ["smaller", "0.5", "momentum"], ["drop"]),
        ({"learning_rate": 1e-9}, ["larger", "1e-09"], ["smaller", "momentum"]),
        ({"dropout": 0.9, "weight_decay": 0.1}, ["dropout", "weight decay"], ["ε"]),
        ({"adversary": "fgsm", "adversary_epsilon": 0.5}, ["ε"], ["dropout"]),
    ],
)
def test_a_training_that_learned_nothing_is_told_what_to_change(
    changes: dict[str, Any], named: list[str], not_named: list[str]
) -> None:
    said = words.on_nothing_learned(Recipe(**changes)).partition("Try ")[2]
    assert all(word in said for word in named)
    assert not any(word in said for word in not_named)


def test_what_a_log_counts_is_said_where_it_is_not_the_images_themselves() -> None:
    assert words.on_training_numbers(Recipe()) == ""
    attacked = words.on_training_numbers(Recipe(adversary="pgd"))
    assert "attacked" in attacked
    proved = words.on_training_numbers(Recipe(adversary="interval", adversary_epsilon=0.25))
    assert "proved" in proved
    assert re.findall(r"\d[\d.]*", proved) == ["0", "0.25", str(round(100 * RAMPED_UP))]


@pytest.mark.parametrize(
    ("share", "other", "digits", "said"),
    [
        (0.99405, 0.9955, 2, "−0.14"),  # 0.145 apart
        (0.98565, 0.9814, 1, "+0.5"),  # 98.6 and 98.1; 0.425 apart
        (0.9825, 0.9815, 1, "+0.0"),  # both are shown as 98.2
        (0.5, 0.5, 1, "+0.0"),
    ],
)
def test_a_difference_is_that_of_the_numbers_shown(
    share: float, other: float, digits: int, said: str
) -> None:
    shown, other_shown = (
        float(words.percent(each, digits).removesuffix("\N{NO-BREAK SPACE}%"))
        for each in (share, other)
    )
    assert words.points(share, other, digits) == pytest.approx(shown - other_shown, abs=1e-9)
    assert words.signed(words.points(share, other, digits), digits) == said


@pytest.mark.parametrize(
    ("labels", "count", "images", "said"),
    [
        ((9,), 412, 980, "9 412 980"),
        ((3, 5), 12, 980, "3 5 12 980"),
        ((1, 3, 5), 1200, 6000, "1 3 5 1,200 6,000"),
        ((), 0, 980, ""),
        ((), 0, 0, ""),
    ],
)
def test_mistakes(labels: tuple[int, ...], count: int, images: int, said: str) -> None:
    mistakes = Mistakes(0, images, misclassified=500, labels=labels, count=count)
    assert numbers(words.on_mistakes(mistakes)) == said


@pytest.mark.parametrize(
    ("linear", "images", "told"),
    [
        (-8.3, 81, "81 4 6.0 9 4.0 83 17"),
        (-8.3, 1, "4 6.0 9 4.0 83 17"),
        (-12, 81, "81 4 6.0 9 4.0 1.20"),
        (-10.02, 81, "81 4 6.0 9 4.0"),  # all of it
    ],
)
def test_an_explanation(linear: float, images: int, told: str) -> None:
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
        )
    )
    assert numbers(said) == told


def test_similarity() -> None:
    said = [words.on_similarity(0, 7, place) for place in range(1, 10)]
    assert list(map(numbers, said)) == ["7 0", *(f"7 0 {others}" for others in range(1, 9))]
    assert "the second most similar" in said[1]
    assert "the least similar" in said[8]
    holds = ["not" in sentence for sentence in said]
    assert holds == [False] * 3 + [True] * 6


def test_similarities() -> None:
    some = words.on_similarities([1, 1, 1, 2, 3, 4, 2, 6, 3, 2])
    assert numbers(some) == "3 10 2.5 9 5"
    none = words.on_similarities([5, 4, 6, 1, 9, 5, 5, 5, 5, 5])
    every = words.on_similarities([1] * 10)
    assert [said.rsplit(". ", 1)[1].split()[1:3] for said in (none, some, every)] == [
        ["does", "not"],
        ["explains", "part"],
        ["explains", "what"],
    ]
    assert "does not" in words.on_similarities([1])  # one digit's rank may be chance
    assert not re.search(r"\d", words.on_similarities([]))
