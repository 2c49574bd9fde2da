from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.evaluation.robustness import Robustness
from core.presentation.evasion import LEGIBLE_BANDS, evasion_over_epsilon
from core.presentation.figure import GREY, TEXT


def rates(*pgd: float, certified: tuple[float, ...] | None = None) -> Robustness:
    return Robustness(
        images=100,
        clean_accuracy=0.9,
        attacked=10,
        epsilons=(0.0, 0.1, 0.2),
        evasion_rates={"pgd": pgd},
        certified=certified,
        accuracy_by_digit=(0.9,) * 10,
        mirrored_by_digit=(0.4,) * 10,
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


def test_between_a_network_s_line_and_its_proof_lies_a_band() -> None:
    networks = {
        "report": rates(0.1, 0.5, 0.9, certified=(0.9, 0.2, 0.0)),
        "other": rates(0.1, 0.2, 0.3, certified=(0.9, 0.7, 0.4)),
        "too large": rates(0.1, 0.2, 0.4),
    }
    draw = partial(evasion_over_epsilon, attack="pgd", epsilon=0.1, baseline="report")
    figure = go.Figure(draw(networks, bands=True))
    own: dict[str, list[Any]] = {name: [] for name in networks}
    for trace in figure.data:
        own[trace.legendgroup].append(trace)
    assert [len(own[name]) for name in networks] == [3, 3, 1]
    for name, most in (("report", (0.1, 0.8, 1.0)), ("other", (0.1, 0.3, 0.6))):
        band, proof, found = own[name]
        assert band.fill == "toself" and band.fillcolor.startswith("rgba(")
        np.testing.assert_allclose(band.y, [*most, *networks[name].evasion_rates["pgd"][::-1]])
        np.testing.assert_allclose(proof.y, most)
        assert proof.line.color == found.line.color
        assert (band.showlegend, proof.showlegend, found.showlegend) == (False, False, None)
    assert own["report"][2].line.color == GREY
    last = [trace.name for trace in figure.data][-3:]
    assert last == list(networks)  # the lines lie over all bands
    alone = draw(networks)["data"]
    assert [trace["name"] for trace in alone] == list(networks)


def test_more_bands_would_hide_one_another() -> None:
    networks = {
        f"n{k}": rates(0.1, 0.5, 0.9, certified=(0.9, 0.2, 0.0)) for k in range(LEGIBLE_BANDS + 1)
    }
    drawn = evasion_over_epsilon(networks, attack="pgd", epsilon=0.1, baseline="n0", bands=True)
    assert [trace["name"] for trace in drawn["data"]] == list(networks)


def test_its_texts_are_large_enough_to_read() -> None:
    networks = {"report": rates(0.1, 0.5, 0.9, certified=(0.9, 0.2, 0.0))}
    drawn = evasion_over_epsilon(networks, attack="pgd", epsilon=0.1, baseline="report", bands=True)
    layout = go.Figure(drawn).layout
    fonts = [layout.legend.font, *(each.font for each in layout.annotations)]
    fonts += [font for axis in (layout.xaxis, layout.yaxis) for font in (axis.tickfont,)]
    assert all(font.size >= TEXT["size"] for font in fonts)
