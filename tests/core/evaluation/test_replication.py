import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core import measures
from core.attacks import fgsm
from core.data.mnist import Digits
from core.evaluation.replication import (
    CACHE,
    Images,
    Replication,
    Reported,
    cached,
    digest,
    measure,
)
from core.evaluation.shipped import MeasuredFileError, complete
from core.networks import MLP
from core.presentation.course_report.findings import shipped_report
from core.recipe import Recipe
from tests.conftest import SHIPPED

REPORTED = Reported(0.7, ((2, 7), (4, 9), (1, 3)))


@pytest.fixture(scope="module")
def found(report_network: MLP, test_digits: Digits) -> Replication:
    """What is measured on 200 test images without a 5."""
    few = Digits(test_digits.x[:200], test_digits.y[:200])
    tested = Digits(few.x[few.y != 5], few.y[few.y != 5])
    return measure(report_network, Images(few, few, few, tested, tested, False), REPORTED)


def assert_same(ours: object, theirs: object, atol: float) -> None:
    """Compare what dataclasses, mappings, and tuples hold; pictures to within `atol`."""
    assert type(ours) is type(theirs)
    if dataclasses.is_dataclass(ours):
        assert_same(vars(ours), vars(theirs), atol)
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert_same(ours[name], theirs[name], 1e-3 if name in PICTURES else 0)
    elif isinstance(ours, tuple) and isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_same(our, their, atol)
    elif isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=atol, atol=atol)
    else:
        assert ours == theirs


PICTURES = ("means", "contributions")


def test_what_is_written_is_read_back(found: Replication, tmp_path: Path) -> None:
    path = tmp_path / "new" / "replication.json"
    complete(path, {"one": "a", "two": "b"}, lambda names: ((name, found) for name in names))
    again = cached("a", path=path)
    assert again is not None
    assert np.isnan(again.means[5]).all() and not np.isnan(again.means[4]).any()
    assert any(each.contributions is not None for each in again.turned)
    assert_same(again, found, 0)
    assert cached("c", path=path) is None
    assert [file.name for file in path.parent.iterdir()] == ["replication.json"]


def test_only_what_is_missing_is_measured(found: Replication, tmp_path: Path) -> None:
    path = tmp_path / "replication.json"
    asked: list[str] = []

    def measure_each(names: list[str]) -> Iterator[tuple[str, Replication]]:
        for name in names:
            asked.append(name)
            if name == "two" and asked.count("two") == 1:
                raise KeyboardInterrupt
            yield name, found

    keys = {"one": "a", "two": "b"}
    with pytest.raises(KeyboardInterrupt):
        complete(path, keys, measure_each)
    complete(path, keys, measure_each)
    complete(path, {**keys, "one": "c"}, measure_each)
    assert asked == ["one", "two", "two", "one"]
    assert cached("a", path=path) is None  # a network that was trained again


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-100],
        lambda content: b"[]",
        lambda content: b'{"a": 3}',
        lambda content: content.replace(b'"held_out": false', b'"held_out": true'),
        lambda content: content.replace(b'"means"', b'"meals"'),
        lambda content: content.replace(b'"sha256": "', b'"sha256": "0'),
    ],
)
def test_damage_is_one_sentence_and_is_repaired(
    damage: Callable[[bytes], bytes], found: Replication, tmp_path: Path
) -> None:
    path = tmp_path / "replication.json"
    complete(path, {"one": "a"}, lambda names: [("one", found)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MeasuredFileError, match="^replication.json is damaged; [^.]*.$"):
        cached("a", path=path)
    complete(path, {"one": "a"}, lambda names: [("one", found)])
    assert cached("a", path=path) is not None


def test_a_digest_stands_for_all_that_a_measurement_depends_on(report_network: MLP) -> None:
    bias = report_network.biases[-1] + np.float32(1)
    other = MLP(report_network.weights, (*report_network.biases[:-1], bias))
    keys = {
        digest(report_network, Recipe(), REPORTED),
        digest(other, Recipe(), REPORTED),
        digest(report_network, Recipe(seed=1), REPORTED),
        digest(report_network, Recipe(digits=(1, 2)), REPORTED),
        digest(report_network, Recipe(held_out=10), REPORTED),
        digest(report_network, Recipe(), Reported(0.6, REPORTED.turned)),
        digest(report_network, Recipe(), Reported(0.7, ())),
    }
    assert len(keys) == 7
    assert digest(report_network, Recipe(epochs=1), REPORTED) in keys


def test_the_file_of_all_shipped_networks_is_small() -> None:
    assert CACHE.stat().st_size < 1_000_000
    shipped = filter(SHIPPED.is_shipped, SHIPPED.names())
    known = {name: shipped_report(*SHIPPED.load(name)) for name in shipped}
    assert [name for name, findings in known.items() if findings is None] == []


def test_the_shipped_figures_are_what_is_measured_now(
    report_network: MLP, test_digits: Digits
) -> None:
    findings = shipped_report(*SHIPPED.load("report"))
    assert findings is not None
    x, y = test_digits.x, test_digits.y
    a_few = 5.01 / len(y)  # another processor rounds otherwise, see test_robustness
    assert findings.accuracies.test == pytest.approx(
        measures.accuracy(report_network, x, y), abs=a_few
    )
    for gradient, found in findings.evasion.items():
        x_adv = fgsm(report_network, x, y, found.attacked_at, gradient=gradient)
        rate = measures.evasion_rate(report_network, x_adv, y)
        assert found.evasion_rate == pytest.approx(rate, abs=a_few)
    np.testing.assert_array_equal(findings.twins.x, x[measures.first_of_each(y)])
