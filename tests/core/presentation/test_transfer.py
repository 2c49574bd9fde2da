import numpy as np
import plotly.graph_objects as go
import pytest
from numpy.typing import ArrayLike

from core.evaluation.transfer import Examples, Transfer
from core.presentation.transfer import (
    NOISE,
    heat_map,
    on_cell,
    on_stand_ins,
    on_strangers,
    what_fools,
)

NOBODY = np.zeros(0, np.int64)
NONE = Examples(NOBODY, np.zeros((0, 784)), NOBODY, NOBODY)
NAMES = ("first", "second", "third")
RATES: tuple[tuple[float, ...], ...] = (
    (0.9, 0.3, 0.1),
    (0.5, 0.8, 0.2),
    (0.4, 0.6, 0.15),
    (0.01, 0.02, 0.03),
)


def found(rates: ArrayLike, counted: int = 1000, target: int | None = None) -> Transfer:
    """Return a transfer with these rates; NaN where no image is counted."""
    shares = np.array(rates)
    known = ~np.isnan(shares)
    size = shares.shape[1]
    return Transfer(
        images=2 * counted,
        target=target,
        right=np.full(size, counted),
        counted=np.where(known, counted, 0),
        fooled=np.where(known, shares * counted, 0).round().astype(np.int64),
        examples=((NONE,) * size,) * (size + 1),
    )


def test_what_fools_each_network() -> None:
    first, second, third = what_fools(found(RATES))
    assert (first.own, first.stand_in, first.by_stand_in, first.noise) == (0.9, 1, 0.5, 0.01)
    assert (second.stand_in, second.by_stand_in) == (2, 0.6)
    assert (third.own, third.stand_in, third.by_stand_in) == (0.15, 1, 0.2)


def test_what_a_stranger_gets_in_numbers() -> None:
    said = on_strangers(found(RATES)).replace("\N{NO-BREAK SPACE}", " ")
    numbers = (2.1 / 6, 1.3 / 3, 1.85 / 3, 0.02)  # pairs, best stand-ins, own, noise
    for share in numbers:
        assert f"{100 * share:.1f} %" in said
    assert "secret" in said
    weak = on_strangers(found([[0.9, 0.02], [0.02, 0.9], [0.02, 0.02]]))
    assert "secret" not in weak  # no more than noise
    assert "an 8" in on_strangers(found(RATES, target=8))


def test_the_best_stand_in_and_the_hardest_to_fool() -> None:
    said = on_stand_ins(found(RATES), NAMES).replace("\N{NO-BREAK SPACE}", " ")
    assert "**third**: its images fool 50.0 %" in said
    assert said.count("**third**") == 2  # whose column has the smallest mean, 15 %
    assert "15.0 %" in said
    assert "fool third more than their own do" in said
    beyond = np.array(RATES)
    beyond[2, 2] = 0.7
    assert "more than their own" not in on_stand_ins(found(beyond), NAMES)
    assert on_stand_ins(found([[0.9, 0.2], [0.3, 0.9], [0.0, 0.0]]), NAMES[:2]) == ""


def test_what_nobody_reads_right_is_said_without_numbers() -> None:
    unknown = found(np.full((3, 2), np.nan))
    assert "nan" not in on_strangers(unknown)
    assert on_stand_ins(unknown, NAMES[:2]) == ""
    first, _ = what_fools(unknown)
    assert (first.own, first.stand_in, first.by_stand_in, first.noise) == (None,) * 4
    half = np.array(RATES)
    half[:3, 0] = half[0] = np.nan
    assert "nan" not in on_strangers(found(half)) + on_stand_ins(found(half), NAMES)
    assert what_fools(found(half))[0].stand_in is None
    go.Figure(heat_map(unknown, NAMES[:2]))


def test_the_heat_map_has_every_rate_once_and_marks_the_diagonal() -> None:
    own, others, control, points = go.Figure(heat_map(found(RATES), NAMES)).data
    for row in range(4):
        for column in range(3):
            right = control if row == 3 else own if row == column else others
            for trace in (own, others, control):
                expected = RATES[row][column] if trace is right else None
                assert trace.z[row][column] == expected
            number = f"{100 * RATES[row][column]:.0f}"
            assert right.text[row][column] == (f"<b>{number}</b>" if row == column else number)
    assert len({trace.colorscale for trace in (own, others, control)}) == 3
    assert {(trace.zmin, trace.zmax) for trace in (own, others, control)} == {(0, 0.9)}
    cells = list(zip(points.y, points.x, strict=True))
    assert cells == [(row, column) for row in range(4) for column in range(3)]
    text = [each.replace("\N{NO-BREAK SPACE}", " ") for each in points.customdata[5]]
    assert text == ["20.0 % (200 of 1,000)", "second", "third"]
    assert points.customdata[9][1] == NOISE


def test_numbers_can_be_read_on_every_colour() -> None:
    for trace in go.Figure(heat_map(found(RATES), NAMES)).data[:3]:
        dark = luminance(trace.textfont.color)
        for _, colour in trace.colorscale:
            assert (luminance(colour) + 0.05) / (dark + 0.05) > 4.5


def luminance(colour: str) -> float:
    """Return the relative luminance of "#rgb" or "#rrggbb", as WCAG 2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    shares = np.array(list(bytes.fromhex(digits))) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_chosen_cell_has_a_frame() -> None:
    (frame,) = go.Figure(heat_map(found(RATES), NAMES, chosen=(3, 1))).layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (0.5, 1.5, 2.5, 3.5)
    for chosen in ((None, 1), (0, None)):
        assert not go.Figure(heat_map(found(RATES), NAMES, chosen=chosen)).layout.shapes


@pytest.mark.parametrize("number", [2, 3])
def test_long_names_stay_apart_and_tags_are_text(number: int) -> None:
    names = [f"<b>a network of mine that is long {place}" for place in range(number)]
    size = np.full((number + 1, number), 0.5)
    figure = go.Figure(heat_map(found(size), names))
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert len(set(axis.ticktext)) == len(axis.ticktext)
        assert not any("<" in name for name in axis.ticktext)
    assert not any("<" in text for texts in figure.data[3].customdata for text in texts)
    assert figure.layout.yaxis.ticktext[-1] == NOISE


def test_a_cell_without_images_has_no_rate() -> None:
    said = on_cell(found(np.full((2, 1), np.nan)), (0, 0))
    assert "%" not in said
