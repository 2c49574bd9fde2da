import numpy as np
import plotly.graph_objects as go

from core.attacks import fgsm
from core.digits import Digits
from core.figures import probabilities_along
from core.mlp import MLP
from core.path import trace


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
