"""The course report's section on its recommendations, and their effects."""

from collections.abc import Iterable, Sequence

from core.evaluation.robustness import Robustness
from core.presentation import remedies
from core.presentation.course_report import facts
from core.presentation.course_report.content import Block, Table, Text
from core.presentation.course_report.findings import Findings, Trial
from core.presentation.words import percent

TRIED_AT = 0.1  # the ε at which the recommendations are compared


def on_recommendations(findings: Findings) -> Iterable[Block]:
    """Show the effects of the eight recommendations, and of remedies that are not among them."""
    trials = {trial.remedy.preset: trial for trial in findings.trials}
    titles = {preset: each.title for each in facts.RECOMMENDATIONS for preset in each.presets}
    recommended = [trials[preset] for preset in titles]
    others = [trial for trial in findings.trials if trial not in recommended]
    chance = remedies.chance()
    yield Text(
        "The report recommends eight remedies for robustness but tries none. This program comes "
        "with a network for each remedy. The network named report has none of them. The figures "
        "below are the same for every network that this page is about." + _best(recommended, others)
    )
    head = (
        *("recommended", "network", "effect", "accuracy"),
        *("evasion rate, FGSM", "evasion rate, PGD", "training time"),
    )
    yield Table(
        f"The eight recommendations, at ε = {TRIED_AT:g}. Rates are shares of all test images. "
        f"Differences of up to {100 * chance.accuracy:.1f} points in accuracy and "
        f"{100 * chance.evasion:.1f} points in an evasion rate count as none, because networks of "
        "one recipe with different seeds differ as much",
        head,
        tuple(_trial_rows([(titles[trial.remedy.preset], trial) for trial in recommended])),
    )
    yield Table(
        "What the report does not mention",
        ("remedy", *head[1:]),
        tuple(_trial_rows([(trial.remedy.title, trial) for trial in others])),
    )


def _best(recommended: Sequence[Trial], others: Sequence[Trial]) -> str:
    """Say how well the best recommended remedy does, and the best of the others."""
    best = [
        min(
            (trial.own.evasion_rate("pgd", TRIED_AT), trial.remedy.preset)
            for trial in trials
            if trial.own is not None
        )
        for trials in (recommended, others)
        if any(trial.own for trial in trials)
    ]
    if len(best) < 2:
        return ""
    (rate, preset), (other_rate, other_preset) = best
    return (
        f" Under PGD at ε = {TRIED_AT:g}, the best recommended network, {preset}, "
        f"misclassifies {percent(rate)} of the test images. The best of the others, "
        f"{other_preset}, misclassifies {percent(other_rate)}."
    )


def _trial_rows(named: Sequence[tuple[str, Trial]]) -> Iterable[tuple[str, ...]]:
    """Yield a row for each trial, after the row of the network without the remedy."""
    shown = set()
    for title, trial in named:
        name = trial.remedy.compared_with
        if name not in shown:
            shown.add(name)
            yield "(for comparison)", name, "", *_figures(trial.other, trial.other_seconds)
        effect = "not measured yet: run `python -m core measure`"
        if trial.own is not None and trial.other is not None:
            effect = remedies.verdict(trial.own, trial.other, epsilon=TRIED_AT)
        yield title, trial.remedy.preset, effect, *_figures(trial.own, trial.seconds)


def _figures(robustness: Robustness | None, seconds: float | None) -> tuple[str, ...]:
    """Return a network's rates and training time as cells; unknown ones are empty."""
    rates = ("", "", "")
    if robustness is not None:
        rates = (
            percent(robustness.clean_accuracy),
            percent(robustness.evasion_rate("fgsm", TRIED_AT)),
            percent(robustness.evasion_rate("pgd", TRIED_AT)),
        )
    return *rates, "" if seconds is None else f"{seconds:.0f} s"
