"""The report's section on what it recommends, and what was found of that."""

from collections.abc import Iterable, Sequence

from core.evaluation.robustness import Robustness
from core.presentation import remedies
from core.presentation.course_report import facts
from core.presentation.course_report.content import Block, Table, Text
from core.presentation.course_report.findings import Findings, Trial

TRIED_AT = 0.1  # the ε at which the recommendations are compared


def on_recommendations(findings: Findings) -> Iterable[Block]:
    """What was found of the eight recommendations, and of what is not among them."""
    trials = {trial.remedy.preset: trial for trial in findings.trials}
    titles = {preset: each.title for each in facts.RECOMMENDATIONS for preset in each.presets}
    recommended = [trials[preset] for preset in titles]
    others = [trial for trial in findings.trials if trial not in recommended]
    yield Text(
        "The report recommends eight remedies for robustness and tries none. This program comes "
        "with networks that follow them; the network named report follows none. Their figures are "
        f"the same whichever network this is about. {_best(recommended, others)}"
    )
    head = (
        *("recommended", "network", "what it buys", "read right"),
        *("misread under FGSM", "misread under PGD", "training time"),
    )
    yield Table(
        f"The eight recommendations, at ε = {TRIED_AT:g}; misread are shares of all test images. "
        f"Up to {100 * remedies.SAME_ACCURACY:.1f} points of accuracy and "
        f"{100 * remedies.SAME_EVASION:.0f} of misread images count as no difference",
        head,
        tuple(_trial_rows([(titles[trial.remedy.preset], trial) for trial in recommended])),
    )
    yield Table(
        "What the report does not name",
        ("remedy", *head[1:]),
        tuple(_trial_rows([(trial.remedy.title, trial) for trial in others])),
    )


def _best(recommended: Sequence[Trial], others: Sequence[Trial]) -> str:
    """How far the best of what is recommended gets, and what is not."""

    def best(trials: Sequence[Trial]) -> tuple[float, str]:
        rates = [
            (trial.own.evasion_rate("pgd", TRIED_AT), trial.remedy.preset)
            for trial in trials
            if trial.own is not None
        ]
        return min(rates, default=(1.0, ""))

    (rate, preset), (other_rate, other_preset) = best(recommended), best(others)
    if not (preset and other_preset):
        return ""
    return (
        f"Under PGD at ε = {TRIED_AT:g}, the best that is recommended, {preset}, has "
        f"{remedies.percent(rate)} of the test images misread, and the best that is not, "
        f"{other_preset}, {remedies.percent(other_rate)}."
    )


def _trial_rows(named: Sequence[tuple[str, Trial]]) -> Iterable[tuple[str, ...]]:
    """A row for each trial, each after the network without the remedy."""
    shown = set()
    for title, trial in named:
        remedy = trial.remedy
        if remedy.compared_with not in shown:
            shown.add(remedy.compared_with)
            without = _figures(trial.other, trial.other_seconds)
            yield "(for comparison)", remedy.compared_with, "", *without
        buys = "not measured here; `python -m core measure` does"
        if trial.own is not None and trial.other is not None:
            buys = remedies.verdict(trial.own, trial.other, epsilon=TRIED_AT)
        yield title, remedy.preset, buys, *_figures(trial.own, trial.seconds)


def _figures(robustness: Robustness | None, seconds: float | None) -> tuple[str, ...]:
    """How a network fares, and how long its training took; empty where that is not known."""
    time = "" if seconds is None else f"{seconds:.0f} s"
    if robustness is None:
        return "", "", "", time
    return (
        remedies.percent(robustness.clean_accuracy),
        remedies.percent(robustness.evasion_rate("fgsm", TRIED_AT)),
        remedies.percent(robustness.evasion_rate("pgd", TRIED_AT)),
        time,
    )
