import numpy as np
import plotly.graph_objects as go
import pytest

from core.attacks import METHODS
from core.data.mnist import Digits
from core.evaluation.confusion import confusion, most_mistaken
from core.evaluation.path import follow
from core.networks import LoggedEpoch
from core.networks.mlp import MLP
from core.presentation import charts
from core.presentation.charts import (
    accuracy_of_each_digit,
    probabilities_along,
)


def test_the_path_s_chart_is_a_valid_figure_of_its_numbers(
    report_network: MLP, test_digits: Digits
) -> None:
    x = test_digits.x[:1]
    path = follow(report_network, METHODS["fgsm"], x, 7)
    figure = go.Figure(probabilities_along(path, epsilon=0.2))  # refuses what Plotly doesn't know
    lines = {line.name: line for line in figure.data}
    assert "7" in lines
    np.testing.assert_allclose(lines["7"].y, path.probabilities[:, 7], atol=1e-4)
    np.testing.assert_allclose(lines["7"].x, path.scale.budgets)
    assert len({(line.line.color, line.line.dash) for line in figure.data}) == len(figure.data)
    assert path.flip is not None
    assert [shape.x0 for shape in figure.layout.shapes] == [0.2, path.flip.epsilon]
    assert figure.layout.annotations[1].text == f"flips to {path.flip.after}"


def test_bars_of_each_digit() -> None:
    upright, flipped = np.linspace(0.9, 0.99, 10), np.linspace(0, 0.9, 10)
    figure = go.Figure(accuracy_of_each_digit({"as they are": upright, "mirrored": flipped}))
    assert [bar.name for bar in figure.data] == ["as they are", "mirrored"]
    np.testing.assert_allclose(figure.data[1].y, flipped, atol=1e-4)
    assert list(figure.data[0].x) == list(range(10))
    assert len({(bar.marker.color, bar.marker.pattern.shape) for bar in figure.data}) == 2


EPSILONS = np.array([0, 0.25, 0.5])


def test_evasion_curves_of_each_attack() -> None:
    curves = {
        METHODS[name].title: (EPSILONS, np.array([0.02, 0.3, place / 10]))
        for place, name in enumerate(("fgsm", "noise", "pgd"))
    }
    curves["another network"] = (EPSILONS, np.array([0, 0, 1 / 3]))
    figure = go.Figure(charts.evasion_curves(curves, epsilon=0.1, x_title="ε, in the L2 norm"))
    lines = {line.name: line for line in figure.data}
    assert list(lines) == list(curves)
    for name, (epsilons, rates) in curves.items():
        np.testing.assert_allclose(lines[name].x, epsilons)
        np.testing.assert_allclose(lines[name].y, rates, atol=1e-4)
    strokes = {(line.line.color, line.line.dash) for line in figure.data}
    assert len(strokes) == 4
    assert lines["Random noise"].line.color == "#888"
    assert figure.layout.shapes[0].x0 == 0.1
    assert figure.layout.annotations[0].text == "ε = 0.1"
    assert figure.layout.xaxis.title.text == "ε, in the L2 norm"
    assert figure.layout.xaxis.range == (0, 0.5)


def test_a_proof_limits_the_curves_and_shades_what_is_open() -> None:
    rates, most = np.array([0.02, 0.3, 0.9]), np.array([0.02, 0.8, 1])
    curves = {"Strongest": (EPSILONS, rates), "FGSM": (EPSILONS, rates / 2)}
    limit = (EPSILONS, most)
    figure = go.Figure(charts.evasion_curves(curves, epsilon=0.1, limit=limit, band="Strongest"))
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces) == [charts.BAND, *curves, charts.LIMIT]
    np.testing.assert_allclose(traces[charts.LIMIT].y, most)
    band = traces[charts.BAND]
    assert band.fill == "toself" and band.hoverinfo == "skip"
    corners = set(zip(band.x, band.y, strict=True))
    assert corners == {*zip(EPSILONS, rates, strict=True), *zip(EPSILONS, most, strict=True)}
    assert figure.layout.xaxis.range == (0, 0.5)
    strokes = {(each.line.color, each.line.dash) for each in figure.data[1:]}
    assert len(strokes) == 3
    alone = charts.evasion_curves(curves, epsilon=0.1, limit=limit)["data"]
    assert [trace["name"] for trace in alone] == [*curves, charts.LIMIT]


def test_an_attack_s_line_looks_the_same_whatever_is_beside_it() -> None:
    rates = (EPSILONS, EPSILONS)
    alone = charts.evasion_curves({"PGD": rates}, epsilon=0.1)["data"][0]
    beside = charts.evasion_curves({"FGSM": rates, "PGD": rates}, epsilon=0.1)["data"][1]
    assert alone == beside
    strokes = {
        tuple(sorted(line["line"].items()))
        for line in charts.evasion_curves(
            {method.title: rates for method in METHODS.values()}, epsilon=0.1
        )["data"]
    }
    assert len(strokes) == len(METHODS)


def test_curves_that_are_still_to_come() -> None:
    figure = go.Figure(charts.evasion_curves({}, epsilon=0.2))
    assert not figure.data


MATRIX = confusion([0, 0, 0, 0, 1, 1, 2, 2, 2], [0, 6, 6, 2, 1, 1, 3, 5, 2])


def test_bars_of_what_each_digit_is_taken_for() -> None:
    figure = go.Figure(charts.mistakes_bars(most_mistaken(MATRIX)))
    first, others, right = figure.data
    np.testing.assert_allclose(first.y[:3], [0.5, 0, 2 / 3], atol=1e-4)  # 3 and 5 equally often
    np.testing.assert_allclose(others.y[:3], [0.25, 0, 0])
    np.testing.assert_allclose(right.y[:3], [0.25, 1, 1 / 3], atol=1e-4)
    assert first.text[:3] == ("6", "", "3, 5")
    assert [list(each) for each in first.customdata[:3]] == [["2 of 4"], ["0 of 2"], ["2 of 3"]]
    assert not any(bar.y[7] for bar in figure.data)  # there is no 7
    assert figure.layout.barmode == "stack"


def test_a_cell_of_the_matrix_can_be_selected() -> None:
    figure = go.Figure(charts.confusion_matrix(MATRIX))
    wrong, right, points = figure.data
    assert points.type == "scatter"  # of a heatmap nothing can be selected
    cells = list(zip(points.y, points.x, strict=True))
    assert sorted(cells) == [(digit, label) for digit in range(10) for label in range(10)]
    assert list(points.customdata[cells.index((0, 6))]) == ["2 of 4"]
    for digit in range(10):
        for label in range(10):
            shown, hidden = (right, wrong) if digit == label else (wrong, right)
            assert hidden.z[digit][label] is None
            assert shown.z[digit][label] == MATRIX[digit, label]
            assert shown.text[digit][label] == str(MATRIX[digit, label] or "")


def test_norms_of_each_digit_as_boxes() -> None:
    rng = np.random.default_rng(0)
    y, norms = rng.integers(0, 9, 500), rng.random(500) * 3
    flipped = norms > 1
    figure = go.Figure(charts.norm_distribution(y, norms, flipped, bound=2.8))
    *boxes, line = figure.data
    for box, chosen in zip(boxes, (flipped, ~flipped), strict=True):
        assert list(box.x) == list(range(9))  # there is no 9
        for place, digit in enumerate(box.x):
            ordered = sorted(norms[(y == digit) & chosen])
            assert box.lowerfence[place] == pytest.approx(ordered[0], abs=1e-4)
            assert box.upperfence[place] == pytest.approx(ordered[-1], abs=1e-4)
            below = sum(norm <= box.median[place] for norm in ordered)
            assert abs(below - len(ordered) / 2) <= 1
            assert box.q1[place] < box.median[place] < box.q3[place]
    assert line.name == "bound 2.80"
    assert list(line.y) == [2.8, 2.8]
    low, high = figure.layout.yaxis.range
    assert low <= norms.min() and high >= 2.8


def test_norms_where_none_is_flipped() -> None:
    y = np.arange(10)
    figure = go.Figure(charts.norm_distribution(y, np.zeros(10), np.zeros(10, bool), bound=0.0))
    assert [len(box.x) for box in figure.data[:2]] == [0, 10]
    assert figure.layout.yaxis.range == (0, 1)


@pytest.mark.parametrize(("epochs", "marks"), [(1, [1, 1]), (3, [1, 1]), (20, [None, None])])
def test_no_half_epoch_is_marked(epochs: int, marks: list[int | None]) -> None:
    log = [LoggedEpoch(1, epoch + 1, 0.3, 0.9, 0.2, 0.95) for epoch in range(epochs)]
    layout = go.Figure(charts.training_curves(log)).layout
    assert [layout.xaxis.dtick, layout.xaxis2.dtick] == marks


def test_all_texts_of_a_chart_are_large_enough_to_read() -> None:
    log = [LoggedEpoch(1, epoch + 1, 0.3, 0.9, 0.2, 0.95) for epoch in range(3)]
    budgets, few = np.array([0.0, 0.1]), np.array([0.1, 0.5])
    for drawn in (
        charts.training_curves(log),
        charts.evasion_curves({"PGD": (budgets, few)}, epsilon=0.1, limit=(budgets, few)),
        accuracy_of_each_digit({"a": np.full(10, 0.5)}),
        charts.confusion_matrix(np.eye(10, dtype=np.int64), chosen=(4, 9)),
    ):
        layout = go.Figure(drawn).layout
        axes = [layout[name] for name in layout if name[1:5] == "axis"]
        fonts = [font for axis in axes for font in (axis.tickfont, axis.title.font)]
        fonts += [layout.legend.font] if layout.showlegend is not False else []
        fonts += [each.font for each in layout.annotations]
        assert {font.size for font in fonts} == {15}
