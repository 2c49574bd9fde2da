"""The file of the benchmarks' results, which `make bench` writes; the redrawn digits."""

import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks import growth, handwriting, refine, strokes
from benchmarks.__main__ import RESULTS, TITLES, with_section
from benchmarks.conditions import CONDITIONS
from core.bounds import Proof
from core.data.mnist import Digits
from core.measures import accuracy
from core.networks.mlp import MLP


def test_every_benchmark_has_its_section_in_order() -> None:
    text = RESULTS.read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [*TITLES.values()]
    for name in TITLES:
        assert (RESULTS.parent / f"{name}.py").exists()


def test_a_section_is_replaced_and_the_others_stay() -> None:
    text = RESULTS.read_text("utf-8")
    title = TITLES["attacks"]
    (own,) = re.findall(rf"^## {title}\n\n(.*?)\n(?=\n## )", text, re.MULTILINE | re.DOTALL)
    assert with_section(text, title, own) == text
    new = with_section(text, title, "| new |")
    assert new == text.replace(own, "| new |")


def test_a_file_is_begun() -> None:
    text = with_section(with_section("", TITLES["load"], "b"), TITLES["page"], "a")
    assert re.findall(r"^(?:## .+|a|b)$", text, re.MULTILINE) == [
        f"## {TITLES['page']}",
        "a",
        f"## {TITLES['load']}",
        "b",
    ]


def test_thinned_ink_is_a_line_and_stays_in_one_piece() -> None:
    rows, columns = np.indices((60, 60))
    ring = abs(np.hypot(rows - 30, columns - 30) - 18) < 5
    line = strokes.thin(ring)
    assert (line <= ring).all()
    off = abs(np.hypot(*(np.argwhere(line) - 30).T) - 18)
    assert off.max() < 2
    assert 80 < line.sum() < 130  # 2π · 18 = 113 pixels long
    pieces, holes = (
        cv2.connectedComponents(part.astype(np.uint8), connectivity=which)[0] - 1
        for part, which in ((line, 8), (~line, 4))
    )
    assert (pieces, holes) == (1, 2)  # the inside and the outside


def test_a_drawn_line_is_found_again() -> None:
    corners = np.array([[6.0, 6.0], [20.0, 8.0], [9.0, 22.0]])
    image = strokes.draw([corners], side=28, width=3)
    (found,) = strokes.strokes(image)
    ends = sorted([found[0].tolist(), found[-1].tolist()])
    np.testing.assert_allclose(ends, sorted(corners[[0, 2]].tolist()), atol=1.6)
    assert np.linalg.norm(found - corners[1], axis=1).min() < 2


def test_a_ring_is_one_closed_line() -> None:
    angle = np.linspace(0, 2 * np.pi, 50)
    circle = 14 + 8 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    (found,) = strokes.strokes(strokes.draw([circle], side=28, width=3))
    np.testing.assert_array_equal(found[0], found[-1])
    np.testing.assert_allclose(np.linalg.norm(found - 14, axis=1), 8, atol=0.5)


@pytest.mark.thorough
@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_is_a_picture_that_its_seed_decides(name: str) -> None:
    image = strokes.draw([np.array([[5.0, 5.0], [20.0, 22.0]])], side=28, width=3)
    made, again = (
        CONDITIONS[name](strokes.Handwriting(image), np.random.default_rng(1)) for _ in range(2)
    )
    if isinstance(made, np.ndarray):
        np.testing.assert_array_equal(made, again)
        assert made.shape == (280, 280, 4)
        assert made[..., :3].max() == 255
    else:
        assert made == again
        picture = Image.open(io.BytesIO(made))
        assert min(picture.size) >= 320
        grey = np.asarray(picture.convert("L"))
        assert name.startswith("blue") or np.ptp(grey) > 40


def test_the_writers_own_ink_is_enlarged_with_its_outline(test_digits: Digits) -> None:
    image = test_digits.x[0].reshape(28, 28)
    digit = strokes.Handwriting(image)
    small, large = (
        digit.write(np.random.default_rng(0), side=side, length=0.5, astray=0)
        for side in (280, 1120)
    )
    factor = 280 * 0.5 * np.random.default_rng(0).uniform(0.9, 1.1)
    rows, columns = np.nonzero(small > 0.5)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(factor, abs=2)
    middle = [(np.min(each) + np.max(each) + 1) / 2 for each in (rows, columns)]
    assert middle == pytest.approx([140, 140], abs=1)
    assert large.sum() == pytest.approx(16 * small.sum(), rel=0.01)
    coarse = cv2.resize(large, (280, 280), interpolation=cv2.INTER_AREA)
    assert np.abs(coarse - small).mean() < 0.005


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["canvas, MNIST's own stroke width", "pen of 3 px"])
def test_digits_written_again_are_read_almost_as_well_as_they_are(
    name: str, report_network: MLP, test_digits: Digits
) -> None:
    x, y = test_digits.x[:150], test_digits.y[:150]
    seen = [handwriting.seen_as(i, x[i].reshape(28, 28), [name])[0][1] for i in range(len(x))]
    clean = 100 * accuracy(report_network, x, y)
    assert handwriting.percent_right(report_network, tuple(seen), y) >= clean - 2


def test_a_digit_that_is_not_found_is_misread(report_network: MLP, test_digits: Digits) -> None:
    y = report_network.logits(test_digits.x[:3]).argmax(axis=1)
    images = (test_digits.x[0], None, test_digits.x[2])
    assert handwriting.percent_right(report_network, images, y) == pytest.approx(200 / 3)
    assert handwriting.percent_right(report_network, (None, None), y[:2]) == 0


def test_growth_is_told_beside_linear_growth() -> None:
    assert growth.cells([0.5, 2, 30], [10, 20, 1000]) == [
        "500.0 ms",
        "× 4.0 (2.00)",
        "× 60.0 (0.60)",
    ]
    header, rows = growth.table_of("images", ["1", "2"], {"a": [1, 2], "b": [3, 3]}, [1, 2])
    assert header == ["images", "a", "b"]
    assert rows == [["1", "1000.0 ms", "3000.0 ms"], ["2", "× 2.0 (1.00)", "× 1.0 (0.50)"]]


@pytest.mark.parametrize("number", growth.BUDGETS)
def test_budgets_are_even_around_the_same_middle(number: int) -> None:
    budgets = growth.grid(number)
    assert budgets[number // 2] == pytest.approx(growth.LARGEST / 2)
    np.testing.assert_allclose(np.diff(budgets), growth.LARGEST / number)
    assert 0 < budgets[0] <= budgets[-1] < growth.LARGEST


@pytest.mark.parametrize("layers", growth.LAYERS)
def test_an_untrained_network_keeps_its_units_sizes(layers: int, test_digits: Digits) -> None:
    *hidden, logits = growth.untrained(layers).activations(test_digits.x[:100])
    assert len(hidden) == layers - 1
    sizes = [np.sqrt((each**2).mean()) for each in hidden]
    assert max(sizes) < 4 * min(sizes)
    assert logits.std() > 0.05


def test_the_latest_proof_within_each_limit_is_kept() -> None:
    proofs = [Proof(number / 10, 1 - number / 100, None, number) for number in range(6)]
    clock = iter([0, 1, 2, 3, 4, 10, 11, 12, 13, 14])
    seconds, kept = refine.snapshots(iter(proofs), [2.5, 5, 20], lambda: next(clock))
    assert [proof.nodes for proof in kept] == [0, 2, 3, 5]
    assert seconds == 14


def test_the_gap_that_proofs_close() -> None:
    assert refine.gap_closed(0.1, 0.3, Proof(0.1, 0.3, None, 0)) == 0
    assert refine.gap_closed(0.1, 0.3, Proof(0.15, 0.25, None, 0)) == pytest.approx(0.5)
    assert refine.gap_closed(0.1, 0.3, Proof(0.2, 0.2, None, 0)) == 1
    assert refine.gap_closed(0.1, 0.1, Proof(0.1, 0.1, None, 0)) == 1
