"""Random draws follow from the seed and the image, and from nothing else."""

from typing import Any

import numpy as np

from core import batches
from core.attacks import draws, noise, pgd, pgd_l2
from core.data.mnist import Digits
from core.networks import MLP


def test_split_mix_gives_the_published_numbers() -> None:
    # The first numbers of Java's `new SplittableRandom(1234567)`, as Rosetta Code prints them.
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    found = draws.split_mix(np.array([1234567], np.uint64), 5)
    np.testing.assert_array_equal(found, [np.array(expected, np.uint64)])


def test_the_draws_are_uniform_and_independent(test_digits: Digits) -> None:
    found = draws.uniform(0, "test", test_digits.x[:500].astype(np.float64))
    assert found.min() >= -1 and found.max() < 1
    quantiles = np.linspace(0.05, 0.95, 19)
    # Five standard deviations of a quantile of 392,000 draws.
    np.testing.assert_allclose(np.quantile(found, quantiles), 2 * quantiles - 1, atol=0.008)
    # Neither neighbouring pixels nor neighbouring images are related.
    for one, other in ((found[:, 1:], found[:, :-1]), (found[1:], found[:-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.008


def test_an_image_has_its_draws_whatever_it_comes_with(test_digits: Digits) -> None:
    x = test_digits.x[: 2 * batches.BATCH + 3]
    together = draws.uniform(5, "test", x)
    for index in (0, batches.BATCH, len(x) - 1):
        np.testing.assert_array_equal(draws.uniform(5, "test", x[[index]]), together[[index]])
    in_float64 = draws.uniform(5, "test", x[:9].astype(np.float64))
    np.testing.assert_allclose(in_float64, together[:9], atol=2e-7)
    assert len(np.unique(together[:, 0])) > 0.99 * len(x)


def test_another_seed_or_use_has_other_draws(test_digits: Digits) -> None:
    x = test_digits.x[:3]
    found = [draws.uniform(*each, x) for each in ((0, "a"), (1, "a"), (0, "b"))]
    for one in range(3):
        for other in range(one):
            assert abs(np.corrcoef(found[one].ravel(), found[other].ravel())[0, 1]) < 0.1


def test_attacks_start_an_image_at_one_point_whatever_it_comes_with(
    report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:600], test_digits.y[:600]
    for attack in (pgd, pgd_l2):
        still: dict[str, Any] = {"steps": 1, "step_size": 0.0, "random_start": True, "seed": 3}
        together = attack(report_network, x, y, [0.1, 0.2], **still)
        alone = attack(report_network, x[[400]], y[[400]], 0.2, **still)
        np.testing.assert_array_equal(alone, together[1, [400]])
    together = noise(report_network, x, y, [0.1, 0.2], seed=3)
    np.testing.assert_array_equal(
        noise(report_network, x[[400]], y[[400]], 0.2, seed=3), together[1, [400]]
    )
