"""The report beside a network: its numbers recomputed by other means, and the file read back."""

import dataclasses
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from core.__main__ import main
from core.attacks import noise, pgd
from core.classifier import FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation import robustness
from core.evaluation.replication import EPSILONS, PRECISION
from core.networks import LIBRARY, MLP, Card, Ensemble, LoggedEpoch, save_file
from core.presentation.course_report import (
    PASSES,
    Chart,
    Findings,
    Gallery,
    Table,
    Text,
    facts,
    measure_report,
    sections,
    to_html,
)
from core.recipe import Recipe
from core.training import of_digits
from tests.conftest import random_mlp
from tests.core.torch_twin import torch_twin

ROOT = Path(__file__).parents[3]
FEW = 1000  # test images, so that it takes little


def first(images: Digits, count: int) -> Digits:
    return Digits(images.x[:count], images.y[:count])


@pytest.fixture(scope="module")
def few(training_digits: Digits, test_digits: Digits) -> tuple[Digits, Digits]:
    return first(training_digits, 3 * FEW), first(test_digits, FEW)


@pytest.fixture(scope="module")
def card() -> Card:
    return LIBRARY.load("report")[1]


@pytest.fixture(scope="module")
def findings(report_network: MLP, card: Card, few: tuple[Digits, Digits]) -> Findings:
    return measure_report(report_network, card, *few)


def predictions(network: MLP, x: FloatArray) -> IntArray:
    """One layer after the other, all images at once."""
    out = x
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        out = np.maximum(out @ weight + bias, 0)
    labels: IntArray = (out @ network.weights[-1] + network.biases[-1]).argmax(axis=1)
    return labels


def autograd_signs(network: MLP, images: Digits, *, exact: bool) -> FloatArray:
    """The signs of FGSM's step as torch has them.

    The exact ones are of log(1 / p_y - 1) in float64, which falls as p_y rises, as the
    cross-entropy does, and has no rounding to 1.
    """
    module = torch_twin(network).to(torch.float64 if exact else torch.float32)
    leaf = torch.tensor(images.x).to(torch.float64 if exact else torch.float32).requires_grad_()
    logits, y = module(leaf), torch.tensor(images.y)
    if exact:
        others = logits.masked_fill(torch.nn.functional.one_hot(y, 10).bool(), -torch.inf)
        loss = (others.logsumexp(1) - logits[torch.arange(len(y)), y]).sum()
    else:
        loss = torch.nn.functional.cross_entropy(logits, y, reduction="sum")
    (slope,) = torch.autograd.grad(loss, leaf)
    signs: FloatArray = slope.sign().numpy().astype(np.float32)
    return signs


# The numbers


def test_accuracies_are_those_of_a_plain_loop(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    for ours, images in zip(
        (findings.accuracies.train, findings.accuracies.test), few, strict=True
    ):
        right = 0
        for start in range(0, len(images), 100):
            rows = slice(start, start + 100)
            right += (predictions(report_network, images.x[rows]) == images.y[rows]).sum()
        assert ours == right / len(images)
    assert findings.accuracies.validation == findings.accuracies.test
    assert findings.split.learned == 3 * FEW
    assert findings.split.validated == findings.split.tested == FEW


# Where a gradient has lost its largest term, torch's rounding differs from ours in some signs.
@pytest.mark.parametrize(
    ("gradient", "of_rate", "of_epsilon"),
    [("exact", 0.001, 0.001), ("float32_autograd", 0.01, 0.03)],
)
def test_the_epsilon_of_the_report_s_rate_is_that_of_a_scan(
    gradient: str,
    of_rate: float,
    of_epsilon: float,
    findings: Findings,
    report_network: MLP,
    few: tuple[Digits, Digits],
) -> None:
    test = few[1]
    signs = autograd_signs(report_network, test, exact=gradient == "exact")

    def rate(epsilon: float) -> float:
        x_adv = np.clip(test.x + np.float32(epsilon) * signs, 0, 1)
        return float((predictions(report_network, x_adv) != test.y).mean())

    ours = findings.evasion[gradient]
    expected = [rate(epsilon) for epsilon in EPSILONS[::5]]
    np.testing.assert_allclose(ours.rates[::5], expected, atol=of_rate)
    reported = facts.EVASION_RATE
    step = 0.004
    scanned = next(epsilon for epsilon in np.arange(0, 1, step) if rate(epsilon) >= reported)
    assert ours.epsilon is not None
    assert scanned - step - of_epsilon < ours.epsilon < scanned + PRECISION + of_epsilon
    assert rate(ours.epsilon - PRECISION - of_epsilon) < reported
    assert ours.epsilon == ours.attacked_at
    assert ours.evasion_rate == pytest.approx(rate(ours.attacked_at), abs=of_rate)
    assert ours.evasion_rate >= reported - of_rate
    assert ours.images == FEW


def test_a_gradient_vanishes_where_torch_s_does(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    logits = torch.tensor(report_network.logits(test.x), requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(test.y), reduction="sum")
    (slope,) = torch.autograd.grad(loss, logits)
    vanished = slope.numpy()[np.arange(FEW), test.y] == 0
    expected = np.bincount(test.y[vanished], minlength=10)
    ours = findings.evasion["float32_autograd"]
    np.testing.assert_allclose(ours.vanished, expected, atol=5)
    assert 0.5 < ours.vanished.sum() / FEW < 0.9
    assert 0.9 * ours.withstood < ours.withstood_vanished <= ours.withstood
    assert not findings.evasion["exact"].vanished.any()


def test_the_tables_of_labels_count_every_image(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    clean = np.zeros((10, 10), int)
    for label, prediction in zip(test.y, predictions(report_network, test.x), strict=True):
        clean[label, prediction] += 1
    np.testing.assert_array_equal(findings.clean, clean)
    for each in findings.evasion.values():
        np.testing.assert_array_equal(each.confusion.sum(axis=1), clean.sum(axis=1))


def test_the_twins_are_the_first_of_each_digit(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    twins, test = findings.twins, few[1]
    assert twins.y.tolist() == list(range(10))
    for digit, x in zip(twins.y, twins.x, strict=True):
        np.testing.assert_array_equal(x, test.x[list(test.y).index(digit)])
    difference = twins.x_adv.astype(np.float64) - twins.x
    np.testing.assert_allclose(twins.l2_norm, np.sqrt((difference**2).sum(axis=1)))
    assert np.abs(difference).max() <= findings.evasion["exact"].attacked_at + 1e-6
    np.testing.assert_array_equal(twins.before, predictions(report_network, twins.x))
    np.testing.assert_array_equal(twins.after, predictions(report_network, twins.x_adv))


def test_digits_are_as_alike_as_their_mean_images(
    findings: Findings, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    halves = {"whole": slice(0, 784), "upper": slice(0, 392), "lower": slice(392, 784)}
    for half, pixels in halves.items():
        for a, b in ((0, 9), (2, 7), (9, 4)):
            u, v = (
                sum(x[pixels].astype(float) for x, y in zip(test.x, test.y, strict=True) if y == d)
                for d in (a, b)
            )
            cosine = (u * v).sum() / np.sqrt((u**2).sum() * (v**2).sum())
            assert getattr(findings.alike, half)[a, b] == pytest.approx(cosine)


def test_the_report_s_labels_are_looked_for_among_ours(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test = few[1]
    signs = autograd_signs(report_network, test, exact=True)
    epsilon = np.float32(findings.evasion["exact"].attacked_at)
    before = predictions(report_network, test.x)
    after = predictions(report_network, np.clip(test.x + epsilon * signs, 0, 1))
    assert [each.digit for each in findings.turned] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    for each in findings.turned:
        right = [i for i in range(FEW) if test.y[i] == before[i] == each.digit]
        turned = sum(after[i] == each.label for i in right)
        assert each.images == len(right)
        assert each.label == facts.MISTAKEN[each.digit].label
        assert abs(each.turned - turned) <= 1
        assert (each.contributions is None) == (each.turned == 0)
        np.testing.assert_allclose(
            findings.means[each.digit], test.x[right].mean(axis=0), atol=1e-6
        )


def test_stronger_and_weaker_attacks_are_measured_at_the_same_epsilon(
    findings: Findings, report_network: MLP, few: tuple[Digits, Digits]
) -> None:
    test, epsilon = few[1], findings.evasion["exact"].attacked_at
    for name, attack in (("pgd", pgd), ("noise", noise)):
        x_adv = attack(report_network, test.x, test.y, epsilon)
        rate = (predictions(report_network, x_adv) != test.y).mean()
        assert findings.controls[name] == pytest.approx(rate, abs=1e-9)
    assert findings.controls["noise"] < facts.EVASION_RATE < findings.controls["pgd"]


def test_the_trials_are_what_was_measured(findings: Findings) -> None:
    entries = json.loads(robustness.CACHE.read_bytes()).values()
    written = {entry["network"]: entry for entry in entries}
    assert len(findings.trials) == 12
    for trial in findings.trials:
        entry = written[trial.remedy.preset]
        assert trial.own is not None
        assert trial.own.clean_accuracy == entry["clean_accuracy"]
        assert list(trial.own.evasion_rates["pgd"]) == entry["evasion_rates"]["pgd"]
        assert trial.other is not None
        compared = written[trial.remedy.compared_with]
        assert trial.other.clean_accuracy == compared["clean_accuracy"]


def test_progress_comes_to_its_end(
    report_network: MLP, card: Card, few: tuple[Digits, Digits]
) -> None:
    done: list[int] = []
    measure_report(report_network, card, few[0], first(few[1], 150), on_progress=done.append)
    assert sum(done) == PASSES * 150

    class Stopped(Exception):
        pass

    def stop(images: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        measure_report(report_network, card, *few, on_progress=stop)


# Networks of all kinds


def constant(label: int) -> MLP:
    """A network that sees the same digit in every image."""
    bias = np.zeros(10, np.float32)
    bias[label] = 5
    return MLP((np.zeros((784, 10), np.float32),), (bias,))


def tables(findings: Findings) -> dict[str, Table]:
    blocks = [block for section in sections(findings) for block in section.blocks]
    return {block.caption: block for block in blocks if isinstance(block, Table)}


def all_text(findings: Findings) -> str:
    blocks = [block for section in sections(findings) for block in section.blocks]
    return "\n".join(block.text for block in blocks if isinstance(block, Text))


def of_kind(card: Card, **recipe: object) -> Card:
    return dataclasses.replace(card, recipe=Recipe(**recipe), log=())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def never_fooled(card: Card, few: tuple[Digits, Digits]) -> Findings:
    return measure_report(constant(3), of_kind(card, digits=(3,)), *few)


@pytest.fixture(scope="module")
def always_fooled(card: Card, few: tuple[Digits, Digits]) -> Findings:
    return measure_report(constant(5), of_kind(card, digits=(3, 4)), *few)


@pytest.fixture(scope="module")
def together(report_network: MLP, card: Card, few: tuple[Digits, Digits]) -> Findings:
    """An ensemble of two, trained with images held out; its members' logs are of other lengths."""
    recipe = Recipe(members=2, epochs=9, held_out=100, patience=2, start="<i>`x`</i>")
    log = [
        LoggedEpoch(member, epoch, 1 / epoch, 0.9, 0.2 + abs(epoch - lowest) / 10, 0.8)
        for member, epochs, lowest in ((1, 5, 3), (2, 9, 7))
        for epoch in range(1, epochs + 1)
    ]
    network = Ensemble((report_network, random_mlp((784, 20, 10), seed=1, dtype=np.float32)))
    own = dataclasses.replace(card, recipe=recipe, log=tuple(log), epochs_trained=7)
    return measure_report(network, own, few[0], first(few[1], 300))


KINDS = ("findings", "never_fooled", "always_fooled", "together")


@pytest.fixture(params=KINDS)
def of_any_kind(request: pytest.FixtureRequest) -> Findings:
    found: Findings = request.getfixturevalue(request.param)
    return found


def test_a_network_that_is_never_fooled_says_so(never_fooled: Findings) -> None:
    for each in never_fooled.evasion.values():
        assert each.epsilon is None
        assert each.attacked_at == EPSILONS[-1] == 1
        assert max(each.rates) == 0
    fgsm_table = next(table for table in tables(never_fooled).values() if "ε for" in table.head[1])
    assert [row[1] for row in fgsm_table.rows] == ["never reached"] * 2
    assert "Whatever ε, FGSM has at most 0.00\N{NO-BREAK SPACE}%" in all_text(never_fooled)
    assert never_fooled.split.tested == (np.array(never_fooled.split.test)[3])


def test_one_that_is_wrong_without_an_attack_needs_none(always_fooled: Findings) -> None:
    for each in always_fooled.evasion.values():
        assert (each.epsilon, each.evasion_rate) == (0, 1)
    said = all_text(always_fooled)
    assert "misreads so many without any attack" in said
    fours = always_fooled.split.test[4]
    assert f"of the {fours:,} fours, {fours:,} are misread without any attack" in said
    assert "It knows only the digits 3, 4." in said


def test_a_network_without_a_log_says_so(never_fooled: Findings, findings: Findings) -> None:
    said = "does not hold the log"
    assert said in all_text(never_fooled)
    assert said not in all_text(findings)
    log = next(table for name, table in tables(never_fooled).items() if "Figure 1" in name)
    assert len(log.head) == 5
    assert len(log.rows) == 20


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
    rows = {row[0]: row for row in tables(own)["The share of images that are read right"].rows}
    running = findings.card.log[findings.card.epochs_trained - 1].train_accuracy
    if beside:
        row = rows["training, counted in passing"]
        difference = 100 * (running - facts.TRAIN_ACCURACY)
        assert row[3] == f"{difference:+.2f} points".replace("-", "\N{MINUS SIGN}")
        assert rows["training, measured afterwards"][1] == "not named"
    else:
        row = rows["training"]
    shown = running if beside else findings.accuracies.train
    assert row[2].replace("\N{NO-BREAK SPACE}", " ") == f"{100 * shown:.2f} %"
    assert ("That makes them harder" in all_text(own)) != beside


def test_an_ensemble_s_log_is_the_first_member_s_beside_the_report_s(together: Findings) -> None:
    every = tables(together)
    log = next(table for name, table in every.items() if "Figure 1" in name)
    assert [row[6] for row in log.rows[:6]] == [
        "0.4000",
        "0.3000",
        "0.2000",
        "0.3000",
        "0.4000",
        "",
    ]
    lowest = every["Each network's lowest validation loss"]
    assert lowest.rows == (("1", "5", "0.2000", "3"), ("2", "9", "0.2000", "7"))
    assert "number 7 is the one that was kept" in all_text(together)


def test_a_file_with_other_accuracies_is_noticed(together: Findings, findings: Findings) -> None:
    said = "The network's file has other accuracies"
    assert said in all_text(together)
    same = dataclasses.replace(
        findings,
        card=dataclasses.replace(
            findings.card,
            train_accuracy=findings.accuracies.train,
            validation_accuracy=findings.accuracies.validation,
            test_accuracy=findings.accuracies.test,
        ),
    )
    assert said not in all_text(same)


def test_what_was_not_measured_is_said_and_the_rest_stands(findings: Findings) -> None:
    unknown = dataclasses.replace(
        findings,
        trials=tuple(
            dataclasses.replace(trial, own=None, other=None, seconds=None)
            for trial in findings.trials
        ),
    )
    table = next(table for name, table in tables(unknown).items() if name.startswith("The eight"))
    assert any(
        row[2:] == ("not measured here; `python -m core measure` does", *[""] * 4)
        for row in table.rows
    )


# The sections


def test_every_row_has_the_cells_of_its_head(of_any_kind: Findings) -> None:
    for table in tables(of_any_kind).values():
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.head)}


def test_every_chart_is_one_that_plotly_knows(of_any_kind: Findings) -> None:
    charts = [
        block
        for section in sections(of_any_kind)
        for block in section.blocks
        if isinstance(block, Chart)
    ]
    assert len(charts) == 2
    for chart in charts:
        go.Figure(chart.figure)  # refuses what Plotly doesn't know
        json.dumps(chart.figure, allow_nan=False)


def test_the_lowest_validation_losses_are_named(findings: Findings, card: Card) -> None:
    own = min(card.log, key=lambda logged: logged.validation_loss)
    said = all_text(findings)
    assert "The report's validation loss is lowest in epoch 6: 0.1065." in said
    assert f"lowest in epoch {own.epoch}: {own.validation_loss:.4f}." in said


def test_figure_2_draws_both_logs(findings: Findings, card: Card) -> None:
    chart = next(
        block
        for section in sections(findings)
        for block in section.blocks
        if isinstance(block, Chart)
    )
    lines = {line["name"]: line for line in chart.figure["data"]}
    for name, log in (("the report", facts.LOG), ("this network", card.log)):
        np.testing.assert_allclose(
            lines[f"validation, {name}"]["y"], [e.validation_loss for e in log], atol=1e-4
        )
        np.testing.assert_allclose(
            lines[f"training, {name}"]["y"], [e.train_loss for e in log], atol=1e-4
        )
    assert lines["lowest, the report"]["x"] == [6]


def test_the_report_s_labels_stand_beside_ours(findings: Findings) -> None:
    table = next(table for name, table in tables(findings).items() if "Figure 5" in name)
    told = ["taken for 9", "taken for 3", "taken for 7", "taken for 0", "not misclassified"]
    told += ["taken for 7", "taken for 8", "taken for 3", "taken for 2", "taken for 4"]
    assert [row[1] for row in table.rows] == told
    same = 0
    for digit, said in enumerate(facts.MISTAKEN):
        row = findings.evasion["exact"].confusion[digit].copy()
        row[digit] = 0
        assert str(row.max()) in table.rows[digit][2]
        same += said.label is not None and row[said.label] == row.max()
    assert f"The label is the report's for {same} of the 9 digits" in all_text(findings)


def test_the_half_that_is_said_to_be_alike_is_looked_at(findings: Findings) -> None:
    holds = [
        digit
        for digit, label, said, other in (
            (2, 7, "upper", "lower"),
            (5, 7, "upper", "lower"),
            (6, 8, "lower", "upper"),
            (8, 2, "upper", "lower"),
        )
        if getattr(findings.alike, said)[digit, label]
        > getattr(findings.alike, other)[digit, label]
    ]
    which = f" ({', '.join(map(str, holds))})" if holds else ""
    said = f"that half is the more alike one for {len(holds)} of the 4 digits{which}."
    assert said in all_text(findings)


def test_the_place_of_a_label_is_among_the_nine_others(findings: Findings) -> None:
    table = tables(findings)["The report's labels and explanations"]
    places: list[int] = []
    for each, row in zip(findings.turned, table.rows, strict=True):
        digit = each.digit
        others = [findings.alike.whole[digit, other] for other in range(10) if other != digit]
        ranked = sorted(others, reverse=True)
        places.append(1 + ranked.index(findings.alike.whole[digit, each.label]))
        assert int(row[3]) == places[-1]
    said = f"By the report, {places.count(1)} of 9 digits turn into the one that is most alike"
    assert said in all_text(findings)
    assert f"the mean place is {sum(places) / 9:.1f} of 9" in all_text(findings)


# The file


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it, and that it is open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is shown."""
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def test_the_page_holds_every_section_and_asks_for_nothing_else(of_any_kind: Findings) -> None:
    reader = read(to_html(of_any_kind, name="mine"))
    addresses = [
        value
        for _, attributes in reader.tags
        for name, value in attributes.items()
        if name in ("src", "href", "data", "action", "poster", "srcset")
    ]
    assert all(value and value.startswith(("data:", "#")) for value in addresses)
    assert not {tag for tag, _ in reader.tags} & {"link", "iframe", "object", "base"}
    text = "".join(reader.text)
    for section in sections(of_any_kind):
        assert section.title in text
        for block in section.blocks:
            if isinstance(block, Table):
                assert block.caption in text
    anchors = {attributes["id"] for tag, attributes in reader.tags if tag == "h2"}
    assert {value[1:] for value in addresses if value and value[0] == "#"} == anchors
    assert len(anchors) == len(sections(of_any_kind))


def test_every_image_says_what_it_shows(findings: Findings) -> None:
    images = [
        attributes for tag, attributes in read(to_html(findings, name="x")).tags if tag == "img"
    ]
    galleries = [
        block
        for section in sections(findings)
        for block in section.blocks
        if isinstance(block, Gallery)
    ]
    pictures = [
        picture for gallery in galleries for column, _ in gallery.columns for picture in column
    ]
    assert len(images) == len(pictures) >= 20
    for attributes in images:
        assert attributes["alt"]
    assert images[0]["alt"] == "a 0, read as 0"


def test_markup_in_names_is_shown_and_not_obeyed(together: Findings) -> None:
    name = '<script>alert(1)</script>"&'
    page = to_html(together, name=name)
    reader = read(page)
    assert name in "".join(reader.text)
    assert "<i>x</i>" in "".join(reader.text)
    assert not [tag for tag, _ in reader.tags if tag == "i"]
    assert len([tag for tag, _ in reader.tags if tag == "script"]) == page.count("<script")
    assert "alert(1)</script>" not in page


# The command


def test_the_command_writes_the_file(
    tmp_path: Path, report_network: MLP, card: Card, test_digits: Digits
) -> None:
    model = tmp_path / "threes & fours.safetensors"
    save_file(model, report_network, of_kind(card, digits=(3, 4)))
    out = tmp_path / "new folder" / "report.html"
    command = [sys.executable, "-m", "core", "report", "--model", str(model), "--out", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == f"Written to {out}\n"
    assert "100%" in run.stderr
    text = "".join(read(out.read_text("utf-8")).text)
    assert "threes & fours" in text
    tested = of_digits(test_digits, (3, 4))
    right = (predictions(report_network, tested.x) == tested.y).mean()
    assert f"{100 * right:.2f}\N{NO-BREAK SPACE}%" in text
    assert f"measured on {len(tested):,} test images" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "nothing"], "error: nothing can't be used: there is no such file."),
        (["--model", "/tmp/none/x.safetensors"], "error: x.safetensors can't be used: there is"),
        (["--out", "/proc/none/report.html"], "error: /proc/none/report.html can't be written"),
        (["--out", "/"], "error: / is a folder"),
    ],
)
def test_what_can_t_be_done_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1
    assert not printed.out
