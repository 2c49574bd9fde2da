"""The course report's section on its recommendations, and their effects."""

from collections.abc import Iterable, Mapping

from core.attacks import METHODS
from core.evaluation.robustness import MEASURED_ATTACKS
from core.networks import shown_name
from core.presentation import remedies
from core.presentation.course_report import facts
from core.presentation.course_report.content import Block, Table
from core.presentation.course_report.findings import Findings
from core.presentation.remedies import BASELINE, BY_PRESET, CONVOLUTIONAL, REMEDIES
from core.presentation.words import percent

TRIED_AT = 0.1  # the ε at which the recommendations are compared
STRONGEST = MEASURED_ATTACKS[-1]  # it ranks them


def on_recommendations(findings: Findings) -> Iterable[Block]:
    """Show the effects of the eight recommendations, and of remedies that are not among them."""
    titles = {
        preset: title for title, presets in facts.RECOMMENDATIONS.items() for preset in presets
    }
    others = {each.preset: each.title for each in REMEDIES if each.preset not in titles}
    yield (
        "The report recommends eight remedies for robustness but tries none. This program comes "
        "with a network for each remedy. The network named standard has none of them. The figures "
        "below are the same for every network that this page is about."
        + _best(findings, titles, others)
    )
    rates = [f"evasion rate, {METHODS[attack].title}" for attack in MEASURED_ATTACKS]
    head = ("recommended", "network", "effect", "accuracy", *rates, "training time")
    yield Table(
        f"The eight recommendations, at ε = {TRIED_AT:g}. Accuracies are shares of all test "
        "images, rates of those that were attacked. " + remedies.on_chance(),
        head,
        tuple(_rows(findings, titles)),
    )
    yield Table(
        "What the report does not mention",
        ("remedy", *head[1:]),
        tuple(_rows(findings, others)),
    )
    if {BASELINE, CONVOLUTIONAL} <= set(findings.trials):
        own, other = (findings.trials[name] for name in (CONVOLUTIONAL, BASELINE))
        yield remedies.on_convolutions(own, other, epsilon=TRIED_AT)


def _best(findings: Findings, recommended: Iterable[str], others: Iterable[str]) -> str:
    """Say which recommended remedy withstands the strongest attack best, and which other one."""
    best = []
    for presets in (recommended, others):
        measured = [
            (findings.trials[preset].evasion_rate(STRONGEST, TRIED_AT), preset)
            for preset in presets
            if preset in findings.trials
        ]
        if not measured:
            return ""
        best.append(min(measured))
    (rate, preset), (other_rate, other_preset) = best
    return (
        f" Under the strongest attack that was measured, at ε = {TRIED_AT:g}, "
        f"{shown_name(preset)} has the lowest rate of the recommended networks: at least "
        f"{percent(rate)} of the attacked images can be fooled. Of the others, "
        f"{shown_name(other_preset)} has it: at least {percent(other_rate)}."
    )


def _rows(findings: Findings, titles: Mapping[str, str]) -> Iterable[tuple[str, ...]]:
    """Yield a row for each preset, the first one after the row of the network without it."""
    shown = set()
    for preset, title in titles.items():
        other = BY_PRESET[preset].compared_with
        if other not in shown:
            shown.add(other)
            yield "(for comparison)", shown_name(other), "", *_figures(findings, other)
        own, without = findings.trials.get(preset), findings.trials.get(other)
        effect = "not measured yet: run `python -m core measure`"
        if own and without:
            effect = remedies.verdict(own, without, epsilon=TRIED_AT)
        yield title, preset, effect, *_figures(findings, preset)


def _figures(findings: Findings, preset: str) -> tuple[str, ...]:
    """Return a network's rates and training time as cells; unknown ones are empty."""
    rates = [""] * (1 + len(MEASURED_ATTACKS))
    if found := findings.trials.get(preset):
        rates = [
            percent(found.clean_accuracy),
            *(percent(found.evasion_rate(attack, TRIED_AT)) for attack in MEASURED_ATTACKS),
        ]
    seconds = findings.seconds.get(preset)
    return *rates, "" if seconds is None else f"{seconds:.0f} s"
