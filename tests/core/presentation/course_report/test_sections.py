"""The course report's sections: which numbers they state, for networks of every kind."""

import dataclasses
import json
import re

import numpy as np
import plotly.graph_objects as go
import pytest

from core.evaluation.replication import EPSILONS
from core.evaluation.robustness import cached
from core.evaluation.seeds import known_spread
from core.networks import Card, Ensemble
from core.presentation import words
from core.presentation.course_report import facts
from core.presentation.course_report.content import Chart, Table, percent
from core.presentation.course_report.findings import Findings
from core.presentation.course_report.sections import sections
from core.recipe import Recipe
from tests.conftest import SHIPPED
from tests.core.networks.lenet import lenet
from tests.core.presentation.course_report.conftest import FEW


def tables(findings: Findings) -> dict[str, Table]:
    blocks = [block for section in sections(findings) for block in section.blocks]
    return {block.caption: block for block in blocks if isinstance(block, Table)}


def table(findings: Findings, start: str) -> Table:
    return next(found for name, found in tables(findings).items() if name.startswith(start))


def texts(findings: Findings, title: str) -> list[str]:
    section = next(section for section in sections(findings) if section.title == title)
    return [block for block in section.blocks if isinstance(block, str)]


def charts(findings: Findings) -> list[Chart]:
    blocks = [block for section in sections(findings) for block in section.blocks]
    return [block for block in blocks if isinstance(block, Chart)]


def test_every_row_has_the_cells_of_its_head(of_any_kind: Findings) -> None:
    for each in tables(of_any_kind).values():
        assert each.rows
        assert {len(row) for row in each.rows} == {len(each.head)}


def test_every_chart_is_one_that_plotly_knows(of_any_kind: Findings) -> None:
    at_zero = of_any_kind.evasion["exact"].epsilon == 0
    assert len(charts(of_any_kind)) == 3 - at_zero
    for chart in charts(of_any_kind):
        go.Figure(chart.figure)  # refuses what Plotly doesn't know
        json.dumps(chart.figure, allow_nan=False)


def test_a_network_that_is_never_fooled(never_fooled: Findings) -> None:
    for each in never_fooled.evasion.values():
        assert (each.epsilon, max(each.rates)) == (None, 0)
        assert each.attacked_at == EPSILONS[-1] == 1
    rows = table(never_fooled, "FGSM on").rows
    assert [(row[1], row[3]) for row in rows] == [("not reached", percent(0))] * 2
    assert never_fooled.split.tested == never_fooled.split.test[3]


def test_a_network_that_is_wrong_without_an_attack(always_fooled: Findings) -> None:
    for each in always_fooled.evasion.values():
        assert (each.epsilon, each.evasion_rate) == (0, 1)
    fours = f"{always_fooled.split.test[4]:,}"
    assert texts(always_fooled, "What each digit is most often taken for")[-1].count(fours) == 4
    assert "3, 4" in " ".join(texts(always_fooled, "The data"))


LIMITS = "What was found and what is proved"


def test_the_limits_are_those_that_were_measured(findings: Findings) -> None:
    exact, limits = findings.evasion["exact"], findings.limits
    assert limits.proved is not None
    assert limits.excluded is not None and limits.reached is not None
    rows = {row[0]: row[1] for row in table(findings, f"{FEW:,} test images at").rows}
    shares = [
        *(findings.controls["noise"], exact.evasion_rate),
        *(findings.controls["pgd"], limits.found, limits.proved),
    ]
    assert list(rows.values())[1:-1] == [percent(share) for share in shares]
    assert rows["can be fooled"].count(percent(1 - limits.proved)) == 1
    *_, at_epsilon, for_rate = texts(findings, LIMITS)
    assert percent(limits.found) in at_epsilon
    numbers = [float(number) for number in re.findall(r"0\.\d{3}", for_rate)]
    assert numbers == sorted(numbers)
    excluded, reached, by_fgsm = numbers
    assert limits.excluded - 0.001 < excluded <= limits.excluded
    assert limits.reached <= reached < limits.reached + 0.001
    assert by_fgsm == pytest.approx(exact.epsilon, abs=0.0005)
    points = {line["name"]: line for line in charts(findings)[2].figure["data"]}
    proof = points["the proof's limit"]
    assert proof["x"] == [exact.attacked_at, limits.excluded]
    assert proof["y"] == [pytest.approx(1 - limits.proved), facts.EVASION_RATE]
    assert points["the strongest attack"]["y"] == [pytest.approx(limits.found, abs=1e-4)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"proved": None, "excluded": None}, {"not known": True, "at most": False}),
        ({"proved": 0.0, "excluded": 0.0}, {"at most 100": True}),
        ({"reached": None}, {"Neither": True}),
    ],
)
def test_what_is_not_proved_or_not_found_is_not_claimed(
    changed: dict[str, float | None], said: dict[str, bool], findings: Findings
) -> None:
    limits = dataclasses.replace(findings.limits, **changed)  # type: ignore[arg-type]
    own = dataclasses.replace(findings, limits=limits)
    rows = table(own, f"{FEW:,} test images at").rows
    *_, for_rate = texts(own, LIMITS)
    told = " ".join([*(row[1] for row in rows), for_rate])
    assert {words: words in told for words in said} == said
    names = [line["name"] for line in charts(own)[2].figure["data"]]
    assert ("the proof's limit" in names) == (limits.proved is not None)


def test_without_a_log_the_report_s_stands_alone(
    never_fooled: Findings, findings: Findings
) -> None:
    for each, columns, lines in ((never_fooled, 5, 3), (findings, 9, 6)):
        log = table(each, "Figure 1")
        assert (len(log.head), len(log.rows)) == (columns, 20)
        assert len(charts(each)[0].figure["data"]) == lines


@pytest.mark.parametrize(
    ("changed", "beside"),
    [
        ({"seed": 1}, True),
        ({"adversary": "pgd", "batch_size": 128}, False),
        ({"dropout": 0.2}, False),
        ({"rotation": 10.0}, False),
    ],
)
def test_the_running_accuracy_stands_beside_the_report_s_where_it_is_of_the_same_images(
    findings: Findings, changed: dict[str, object], beside: bool
) -> None:
    recipe = Recipe(**changed)  # type: ignore[arg-type]
    own = dataclasses.replace(findings, card=dataclasses.replace(findings.card, recipe=recipe))
    rows = table(own, "The share of images that are classified").rows
    running = findings.card.log[findings.card.epochs_trained - 1].train_accuracy
    difference = 100 * (running - facts.TRAIN_ACCURACY)
    if beside:
        assert rows[0][2] == percent(running)
        assert rows[0][3] == f"{difference:+.2f} points".replace("-", "\N{MINUS SIGN}")
    assert len(rows) == 3 + beside
    assert rows[beside][2] == percent(findings.accuracies.train)
    assert len(texts(own, "The log of the training")) == 4 - beside  # one says why not


def test_an_ensemble_s_log_is_the_first_member_s_beside_the_report_s(together: Findings) -> None:
    log = table(together, "Figure 1")
    assert [row[6] for row in log.rows[:6]] == [
        "0.4000",
        "0.3000",
        "0.2000",
        "0.3000",
        "0.4000",
    ] + [""]
    lowest = table(together, "Each network's lowest validation loss")
    assert lowest.rows == (("1", "5", "0.2000", "3"), ("2", "9", "0.2000", "7"))
    assert "epoch 7" in " ".join(texts(together, "How it was trained"))


def test_a_file_with_other_accuracies_is_noticed(findings: Findings, together: Findings) -> None:
    own = findings.accuracies
    measured = {f"{part}_accuracy": getattr(own, part) for part in ("train", "validation", "test")}
    same = dataclasses.replace(findings, card=dataclasses.replace(findings.card, **measured))
    assert len(texts(same, "Accuracy")) + 1 == len(texts(together, "Accuracy"))
    assert percent(together.card.test_accuracy) in texts(together, "Accuracy")[-1]


def test_what_was_not_measured_is_said_and_the_rest_stands(findings: Findings) -> None:
    unknown = dataclasses.replace(findings, trials={}, seconds={})
    rows = [row for row in table(unknown, "The eight").rows if "core measure" in row[2]]
    assert len(rows) == 9
    assert not any(cell for row in rows for cell in row[3:])


def test_the_lowest_validation_losses_are_named(findings: Findings, card: Card) -> None:
    report_s, ours, *_ = texts(findings, "The log of the training")
    assert "epoch 6: 0.1065" in report_s
    own = min(card.log, key=lambda logged: logged.validation_loss)
    assert f"epoch {own.epoch}: {own.validation_loss:.4f}" in ours


def test_figure_2_draws_both_logs(findings: Findings, card: Card) -> None:
    lines = {line["name"]: line for line in charts(findings)[0].figure["data"]}
    for name, log in (("the report", facts.LOG), ("this network", card.log)):
        for part, field in (("validation", "validation_loss"), ("training", "train_loss")):
            np.testing.assert_allclose(
                lines[f"{part}, {name}"]["y"], [getattr(each, field) for each in log], atol=1e-4
            )
    assert lines["lowest, the report"]["x"] == [6]


def test_the_report_s_labels_stand_beside_ours(findings: Findings) -> None:
    rows = table(findings, "Figure 5").rows
    same = 0
    for row, said in zip(rows, facts.MISTAKEN, strict=True):
        assert row[1] == f"taken for {said.label}" or said.label is None
        counts = findings.evasion["exact"].confusion[said.digit].copy()
        counts[said.digit] = 0
        assert str(counts.max()) in row[2]
        same += said.label is not None and counts[said.label] == counts.max()
    text = texts(findings, "What each digit is most often taken for")[0]
    assert f"{same} of the 9 digits" in text


def test_similarities_and_their_ranks(findings: Findings) -> None:
    said = texts(findings, "Are a digit and its label similar?")
    holds = [
        each.digit
        for each in facts.MISTAKEN
        if each.similar_half
        for pair in [(each.digit, each.label)]
        if (findings.similarity.upper[pair] > findings.similarity.lower[pair])
        == (each.similar_half == "upper")
    ]
    which = f" ({', '.join(map(str, holds))})" if holds else ""
    assert f"{len(holds)} of the 4 digits{which}" in said[-1]
    ranks = []
    rows = table(findings, "The report's labels and explanations").rows
    told = [each for each in facts.MISTAKEN if each.label is not None]
    for each, row in zip(told, rows, strict=True):
        others = np.delete(findings.similarity.whole[each.digit], each.digit)
        ranks.append(1 + int((others > findings.similarity.whole[each.digit, each.label]).sum()))
        assert row[3] == str(ranks[-1])
    assert f"{ranks.count(1)} of 9 digits" in said[1]
    assert f"{np.mean(ranks):.1f} of 9" in said[1]


def test_chance_is_shown_by_networks_that_differ_in_their_seeds_alone(findings: Findings) -> None:
    spread = known_spread(Recipe())
    assert spread is not None
    bounds = {percent(accuracy) for accuracy in spread.clean_accuracy}
    for changed, said in (({"seed": 5}, True), ({"dropout": 0.2}, False)):
        recipe = Recipe(**changed)
        own = dataclasses.replace(findings, card=dataclasses.replace(findings.card, recipe=recipe))
        sentences = next(text for text in texts(own, "Accuracy") if "recipe is" in text)
        assert all((bound in sentences) == said for bound in bounds)


def test_the_layers_of_a_convolutional_network(findings: Findings) -> None:
    other = dataclasses.replace(findings, network=lenet(function="tanh"))
    layers, after, count = table(other, "The layers").rows
    assert layers[1] == "784-128-64-10"
    assert layers[2] == "convolutions of 6 and 16 channels, then 120-84-10"
    assert after[2] == "tanh"
    assert count[2] == f"{6 * 26 + 16 * 151 + 401 * 120 + 121 * 84 + 85 * 10:,}"
    both = dataclasses.replace(other, network=Ensemble((lenet(), *findings.network.members)))
    layers, after, _ = table(both, "The layers").rows
    assert layers[2].startswith("2 networks, convolutions of 6") and "784-128-64-10" in layers[2]
    assert after[2] == "ReLU"


def test_a_convolutional_network_is_told_to_be_fooled_too(findings: Findings) -> None:
    network = SHIPPED.load("convolutional")[0]
    report, known = findings.trials["report"], cached(network)
    assert known is not None
    assert known.clean_accuracy >= 0.99
    said = texts(findings, "What was recommended")[-1]
    for each in (report, known):
        assert words.percent(each.evasion_rate("strongest", 0.1)) in said
    without = {"report": report}
    fewer = dataclasses.replace(findings, trials=without)
    assert "LeNet" not in texts(fewer, "What was recommended")[-1]
