import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from core.attacks import METHODS
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.evaluation.plane import Frame, Plane, Surroundings, around, place_to_map
from core.evaluation.walk import record
from core.networks.mlp import MLP
from core.presentation.plane import LABEL_COLOURS, map_chart, on_map, picture, regions

# Red, green and blue, linear, as people see them without one kind of cone: Machado, Oliveira and
# Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency".
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def cielab(colours: tuple[str, ...], sight: np.ndarray) -> np.ndarray:
    """Return colours in CIELAB as somebody sees them; a distance of 2 is just noticed."""
    rgb = np.array([[int(each[at : at + 2], 16) / 255 for at in (1, 3, 5)] for each in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ sight.T, 0, 1) @ TO_XYZ.T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_labels_have_colours_that_are_far_apart(sight: str) -> None:
    assert len(LABEL_COLOURS) == 10
    lab = cielab(LABEL_COLOURS, SIGHT[sight])
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)
    assert apart[~np.eye(10, dtype=bool)].min() > 25


def drawn(labels: np.ndarray, confidence: float = 1.0, inside: bool = True) -> Plane:
    """Return a map with these labels."""
    side = len(labels)
    return Plane(
        frame=Frame.through(*np.eye(3)),
        across=np.arange(side, dtype=float),
        upward=10.0 + np.arange(side),
        labels=labels,
        confidence=np.full(labels.shape, confidence),
        inside=np.full(labels.shape, inside),
        outline=None,
    )


def colour(label: int) -> list[int]:
    """Return a label's colour."""
    return [int(LABEL_COLOURS[label][at : at + 2], 16) for at in (1, 3, 5)]


def test_the_picture_shows_labels_confidence_borders_and_hatching() -> None:
    labels = np.zeros((40, 40), np.int64)
    labels[30:] = 4  # above, because upward rises
    sure = picture(drawn(labels))
    assert sure.shape == (120, 120, 3)
    assert sure[5, 5].tolist() == colour(4)
    assert sure[-5, 5].tolist() == colour(0)
    assert (sure[29] == 17).all()  # the border between them
    assert len(np.unique(sure.reshape(-1, 3), axis=0)) == 3
    doubtful = picture(drawn(labels, confidence=0.4))
    assert (doubtful[5, 5] > sure[5, 5]).any()
    assert doubtful[5, 5].astype(int).sum() > sure[5, 5].astype(int).sum() + 100
    hatched = picture(drawn(labels, inside=False))
    lines = (hatched != sure).any(axis=2)
    assert 0.1 < lines.mean() < 0.3


def test_every_region_has_its_digit_well_inside_it() -> None:
    labels = np.full((100, 100), 7)
    labels[:, 60:] = 3
    labels[80:, :20] = 3  # another region of the same label
    labels[5:8, 5:8] = 9  # too small
    found = regions(drawn(labels), np.zeros((0, 2)))
    assert [label for label, _, _ in found] == [7, 3, 3]
    for label, x, y in found:
        row, column = round(y) - 10, round(x)
        assert (labels[row - 8 : row + 9, column - 8 : column + 9] == label).all()
    (_, x, y), *_ = regions(drawn(np.zeros((100, 100), np.int64)), np.array([[50.0, 60.0]]))
    assert abs(x - 50) > 20 or not -16 < y - 60 < 10  # not below the name of a point


@pytest.fixture(scope="module")
def surroundings(report_network: MLP, test_digits: Digits) -> Surroundings:
    x, method = test_digits.x[:1], METHODS["bim"]
    path = follow(report_network, method, x, 7, levels=256)
    place = place_to_map(path, 0.12)
    assert place is not None
    walk = record(report_network, method, x, 7, epsilon=0.12, levels=256)
    return around(report_network, method, path, place, random=False, walk=walk, side=60)


def test_the_chart_lays_everything_over_the_picture(surroundings: Surroundings) -> None:
    chart = map_chart(surroundings)
    (image,) = chart["layout"]["images"]
    content = base64.b64decode(image["source"].removeprefix("data:image/png;base64,"))
    shown = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(shown, picture(surroundings.plane))
    x, y = chart["layout"]["xaxis"]["range"], chart["layout"]["yaxis"]["range"]
    assert image["x"] == x[0]
    assert image["y"] == y[1]
    assert (image["sizex"], image["sizey"]) == pytest.approx((x[1] - x[0], y[1] - y[0]))
    named = {trace["name"]: trace for trace in chart["data"] if "name" in trace}
    assert surroundings.trail is not None
    steps = named["the attack's steps"]
    np.testing.assert_allclose(
        np.stack([steps["x"], steps["y"]], axis=1), surroundings.trail, atol=1e-4
    )
    edge = named["the ball's edge"]
    assert (edge["x"][0], edge["y"][0]) == (edge["x"][-1], edge["y"][-1])
    assert named["the three images"]["x"][0] == named["the three images"]["y"][0] == 0
    written = {each["text"] for each in chart["layout"]["annotations"]}
    assert {"7", "3", f"towards {surroundings.towards}"} <= written


def test_the_shares_in_words_are_those_of_the_map() -> None:
    labels = np.full((100, 100), 7)
    labels[:30], labels[0, 0] = 3, 8
    said = on_map(Surroundings(drawn(labels), 0.1, np.zeros((2, 2)), None, None))
    shares = said.replace("\N{NO-BREAK SPACE}", " ")
    assert all(part in shares for part in ("7: 70 %", "3: 30 %", "8: below 1 %", "100 % of"))


def test_the_shares_add_up_to_a_hundred() -> None:
    labels = np.repeat([7, 3, 9, 8], [50, 25, 24, 1]).reshape(10, 10)
    labels = np.tile(labels, (3, 3))[:, :28]  # thirds of a per cent
    said = on_map(Surroundings(drawn(labels), 0.1, np.zeros((2, 2)), None, None))
    shares = re.findall(r"\d: (\d+)", said.replace("\N{NO-BREAK SPACE}", " "))
    assert sum(map(int, shares)) == 100
    assert len(shares) == 4
