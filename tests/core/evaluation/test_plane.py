import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.attacks import METHODS
from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation.path import follow
from core.evaluation.plane import (
    Frame,
    Plane,
    at_random,
    look_at,
    outline_of,
    runner_up,
    towards_label,
)
from core.networks.mlp import MLP
from tests.core.attacks import referee


@pytest.fixture(scope="module")
def corners(report_network: MLP, test_digits: Digits) -> FloatArray:
    """The first test digit, an adversarial image of it and a third one, `(3, 784)`."""
    x = test_digits.x[:1]
    path = follow(report_network, METHODS["bim"], x, 7, levels=256)
    x_adv = path.x_adv[30:31]
    label = runner_up(report_network, x, x_adv)
    third = towards_label(report_network, x, label, norm="linf", size=0.15)
    return np.stack([path.x_adv[0], x_adv[0], third])


@pytest.fixture(scope="module")
def plane(report_network: MLP, corners: FloatArray) -> Plane:
    frame = Frame.through(*corners)
    outline = outline_of(frame, "linf", 0.15)
    return look_at(report_network, frame, frame.points(corners), outline=outline)


def test_the_plane_holds_its_three_images_at_their_distances(
    plane: Plane, corners: FloatArray
) -> None:
    points = plane.frame.points(corners)
    np.testing.assert_allclose(plane.frame.images(points), corners, atol=1e-6)
    np.testing.assert_allclose(plane.frame.axes @ plane.frame.axes.T, np.eye(2), atol=1e-12)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        apart = np.linalg.norm(corners[a].astype(np.float64) - corners[b])
        assert np.linalg.norm(points[a] - points[b]) == pytest.approx(apart)
    assert points[0] == pytest.approx([0, 0])
    assert points[1, 1] == pytest.approx(0, abs=1e-9)
    assert points[1, 0] > 0 < points[2, 1]


def test_the_same_points_are_predicted_again(
    plane: Plane, corners: FloatArray, report_network: MLP
) -> None:
    x, x_adv, third = corners.astype(np.float64)
    # Every image in full, in float64, from the three images themselves.
    (_, one, two) = plane.frame.points(corners)
    grid = np.array([(a, b) for b in plane.upward for a in plane.across])
    assert grid.shape == (40_000, 2)
    shares = np.linalg.solve(np.stack([one, two], axis=1), grid.T).T
    images = x + shares[:, :1] * (x_adv - x) + shares[:, 1:] * (third - x)
    logits = referee.in_float64(report_network).logits(images)
    ordered = np.sort(logits, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 1e-3
    assert clear.mean() > 0.999
    labels = logits.argmax(axis=1)
    np.testing.assert_array_equal(plane.labels.ravel()[clear], labels[clear])
    assert len(set(labels.tolist())) > 1
    p = np.exp(logits - ordered[:, -1:])
    confidence = (p / p.sum(axis=1, keepdims=True)).max(axis=1)
    np.testing.assert_allclose(plane.confidence.ravel(), confidence, atol=1e-3)
    least, most = images.min(axis=1), images.max(axis=1)
    outside = np.maximum(-least, most - 1)  # by how much the point is no image
    sure = abs(outside) > 1e-5
    sure |= outside <= 0
    np.testing.assert_array_equal(plane.inside.ravel()[sure], (outside <= 0)[sure])
    assert 0.1 < plane.inside.mean() < 0.9


def test_the_map_shows_what_it_must_on_a_square(plane: Plane, corners: FloatArray) -> None:
    assert plane.outline is not None
    for points in (plane.frame.points(corners), plane.outline):
        for axis, places in enumerate((plane.across, plane.upward)):
            assert places[0] < points[:, axis].min()
            assert points[:, axis].max() < places[-1]
    widths = [places[-1] - places[0] for places in (plane.across, plane.upward)]
    assert widths[0] == pytest.approx(widths[1])
    assert plane.labels.shape == plane.confidence.shape == plane.inside.shape == (200, 200)


@pytest.mark.parametrize(("norm", "size"), [("linf", 0.15), ("l2", 1.5), ("l2", 40.0)])
def test_the_outline_is_where_the_ball_ends(
    norm: str, size: float, plane: Plane, corners: FloatArray
) -> None:
    frame, x = plane.frame, plane.frame.origin
    outline = outline_of(frame, norm, size)

    def within(points: FloatArray) -> np.ndarray:
        images = frame.images(points)
        change = np.abs(images - x)
        norms = change.max(axis=1) if norm == "linf" else np.sqrt((change**2).sum(axis=1))
        # The circle is drawn with 360 corners.
        budget = size * (1 if norm == "linf" else np.cos(np.pi / 360))
        in_range = (images.min(axis=1) >= -1e-9) & (images.max(axis=1) <= 1 + 1e-9)
        return np.asarray(in_range & (norms <= budget + 1e-9))

    middle = outline.mean(axis=0)
    for share, expected in ((0.999, True), (1.001, False)):
        for along in (0.0, 0.3, 0.7):  # corners, and places on the edges between them
            edge = outline + along * (np.roll(outline, -1, axis=0) - outline)
            points = middle + share * (edge - middle)
            if norm == "l2" and size < 10 and expected is False:
                points = middle + 1.01 * (edge - middle)
            assert within(points).all() if expected else not within(points).any()
    if size < 1:
        assert within(frame.points(corners[2:])).all()


def test_pixels_outside_0_to_1_alone_are_outside(report_network: MLP) -> None:
    grey = np.full(784, 0.5)
    first, second = grey.copy(), grey.copy()
    first[0], second[1] = 0.75, 0.75
    frame = Frame.through(grey, first, second)
    plane = look_at(report_network, frame, np.array([[-2.0, -2.0], [2.0, 2.0]]), side=50)
    a, b = np.meshgrid(plane.across, plane.upward)
    np.testing.assert_array_equal(plane.inside, np.maximum(abs(a), abs(b)) <= 0.5)
    np.testing.assert_allclose(
        sorted(map(tuple, outline_of(frame, "linf", 0.25).round(9).tolist())),
        [(-0.25, -0.25), (-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)],
    )
    assert np.abs(outline_of(frame, "l2", 9)).max() == pytest.approx(0.5)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("size", [0.1, 0.4])
def test_third_images_are_images_of_the_size_asked_for(
    norm: str, size: float, report_network: MLP, test_digits: Digits
) -> None:
    x = test_digits.x[:1]
    grey = np.full((1, 784), 0.5, np.float32)
    for image in (x, grey):
        for third in (
            towards_label(report_network, image, 3, norm=norm, size=size),
            at_random(report_network, image, norm=norm, size=size),
        ):
            assert third.shape == (784,)
            assert third.min() >= 0
            assert third.max() <= 1
            change = np.abs(third - image[0])
            found = change.max() if norm == "linf" else np.linalg.norm(change)
            assert (
                found == pytest.approx(size, rel=1e-4)
                if image is grey
                else 0 < found <= size + 1e-6
            )
    plain, towards = report_network.logits(
        np.concatenate(
            [grey, [towards_label(report_network, grey, 3, norm=norm, size=0.05)]]
        ).astype(np.float32)
    )
    assert towards[3] > plain[3]
    random = [
        at_random(report_network, grey, norm=norm, size=size, seed=seed) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(random[0], random[1])
    assert (random[0] != random[2]).any()


def test_the_runner_up_is_the_best_of_the_others(report_network: MLP, test_digits: Digits) -> None:
    for index in range(20):
        x, x_adv = test_digits.x[index : index + 1], test_digits.x[index + 1 : index + 2]
        logits = report_network.logits(x)[0]
        taken = {int(logits.argmax()), int(report_network.logits(x_adv).argmax())}
        found = runner_up(report_network, x, x_adv)
        assert found not in taken
        assert all(logits[other] <= logits[found] for other in set(range(10)) - taken)


def test_three_images_on_a_line_make_no_plane() -> None:
    x, y = np.zeros(784), np.ones(784)
    with pytest.raises(ValueError, match="^x_adv must"):
        Frame.through(x, x, y)
    for third in (x, y / 2, y):
        with pytest.raises(ValueError, match="^third must"):
            Frame.through(x, y, third)


def test_a_map_has_at_least_two_points_a_side(plane: Plane, report_network: MLP) -> None:
    with pytest.raises(ValueError, match="^side must"):
        look_at(report_network, plane.frame, np.zeros((1, 2)), side=1)


@given(
    seed=st.integers(0, 10_000),
    norm=st.sampled_from(["linf", "l2"]),
    size=st.floats(0.01, 2),
)
def test_the_outline_of_any_plane_is_convex_and_holds_the_origin(
    seed: int, norm: str, size: float
) -> None:
    rng = np.random.default_rng(seed)
    images = (rng.random((3, 30)) * 1.6 - 0.3).clip(0, 1)
    outline = outline_of(Frame.through(*images), norm, size)
    edges = np.roll(outline, -1, axis=0) - outline
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    assert (turns >= -1e-9).all()  # always to the left
    from_origin = outline[:, 0] * edges[:, 1] - outline[:, 1] * edges[:, 0]
    assert (from_origin >= -1e-9).all()
