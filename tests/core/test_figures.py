import numpy as np
import plotly.graph_objects as go

from core.attacks import fgsm
from core.digits import Digits
from core.figures import accuracy_of_each_digit, evasion_over_epsilon, probabilities_along
from core.mlp import MLP
from core.path import trace
from core.robustness import Robustness


def test_the_path_s_chart_is_a_valid_figure_of_its_numbers(
    report_network: MLP, test_digits: Digits
) -> None:
    x = test_digits.x[:1]
    path = trace(
        report_network,
        lambda epsilons: fgsm(report_network, x, [7], epsilons)[:, 0],
        np.linspace(0, 0.5, 101),
    )
    figure = go.Figure(probabilities_along(path, epsilon=0.2))  # refuses what Plotly doesn't know
    lines = {line.name: line for line in figure.data}
    assert "7" in lines
    np.testing.assert_allclose(lines["7"].y, path.probabilities[:, 7], atol=1e-4)
    np.testing.assert_allclose(lines["7"].x, path.epsilons)
    assert len({(line.line.color, line.line.dash) for line in figure.data}) == len(figure.data)
    assert path.flip is not None
    assert [shape.x0 for shape in figure.layout.shapes] == [0.2, path.flip.epsilon]
    assert figure.layout.annotations[1].text == f"flips to {path.flip.after}"


def rates(*pgd: float) -> Robustness:
    return Robustness(
        images=100, clean_accuracy=0.9, epsilons=(0.0, 0.1, 0.2), evasion_rates={"pgd": pgd}
    )


def test_evasion_over_epsilon_is_a_valid_figure_of_its_numbers() -> None:
    networks = {"report": rates(0.1, 0.5, 0.9), "other": rates(0.1, 0.2, 0.3)}
    figure = go.Figure(evasion_over_epsilon(networks, attack="pgd", epsilon=0.1, baseline="report"))
    lines = {line.name: line for line in figure.data}
    assert list(lines) == ["report", "other"]
    assert lines["other"].x == (0.0, 0.1, 0.2)
    assert lines["other"].y == (0.1, 0.2, 0.3)
    assert lines["report"].line.width > lines["other"].line.width
    assert figure.layout.shapes[0].x0 == 0.1
    assert figure.layout.annotations[0].text == "ε = 0.1"


def test_of_many_networks_those_that_differ_most_are_drawn_and_all_can_be_told_apart() -> None:
    networks = {f"n{k}": rates(0.1, 0.5, 0.5 + k / 100) for k in range(30)}
    networks["report"] = rates(0.1, 0.5, 0.5)
    figure = go.Figure(evasion_over_epsilon(networks, attack="pgd", epsilon=0.2, baseline="report"))
    drawn = {line.name for line in figure.data if line.visible is True}
    assert drawn == {"report", *(f"n{k}" for k in range(23, 30))}
    assert all(line.visible == "legendonly" for line in figure.data if line.name not in drawn)
    assert len({(line.line.color, line.line.dash) for line in figure.data}) == 31


def test_evasion_can_be_drawn_without_the_baseline() -> None:
    figure = evasion_over_epsilon(
        {"a": rates(0.1, 0.5, 0.9)}, attack="pgd", epsilon=0.1, baseline="report"
    )
    assert [line["name"] for line in figure["data"]] == ["a"]


def test_bars_of_each_digit() -> None:
    upright, flipped = np.linspace(0.9, 0.99, 10), np.linspace(0, 0.9, 10)
    figure = go.Figure(accuracy_of_each_digit({"as they are": upright, "mirrored": flipped}))
    assert [bar.name for bar in figure.data] == ["as they are", "mirrored"]
    np.testing.assert_allclose(figure.data[1].y, flipped, atol=1e-4)
    assert list(figure.data[0].x) == list(range(10))
    assert len({(bar.marker.color, bar.marker.pattern.shape) for bar in figure.data}) == 2
