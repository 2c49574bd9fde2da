"""The benchmark of the worst case continues where it was stopped, and counts what it found."""

from pathlib import Path

import pytest

from benchmarks import worst_case
from benchmarks.worst_case import Row
from core.data.mnist import Digits
from core.networks.ensemble import Network


def a_row(network: str, epsilon: float, ours: float = 0.5, times: float = 4) -> Row:
    return Row(network, epsilon, 0.4, ours, 0.5, 2.0, 2 * times, "2026-01-01")


def test_a_run_that_was_stopped_continues(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, test_digits: Digits
) -> None:
    measured: list[tuple[str, float]] = []

    def measure(name: str, network: Network, test: Digits, epsilon: float) -> Row:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append((name, epsilon))
        return a_row(name, epsilon)

    monkeypatch.setattr(worst_case, "measure", measure)
    few, fewer = (Digits(test_digits.x[:n], test_digits.y[:n]) for n in (20, 10))
    names, epsilons, path = ["report", "adam"], [0.1, 0.2], tmp_path / "cache" / "rows.json"
    with pytest.raises(KeyboardInterrupt):
        list(worst_case.measured(names, epsilons, few, path=path))
    assert measured == [("report", 0.1), ("report", 0.2), ("adam", 0.1)]
    measured.clear()
    rows = list(worst_case.measured(names, epsilons, few, path=path))
    assert measured == [("adam", 0.2)]
    assert rows == [a_row(name, epsilon) for name in names for epsilon in epsilons]
    measured.clear()
    list(worst_case.measured(["adam"], [0.2], fewer, path=path))
    monkeypatch.setattr(worst_case, "attacks_digest", lambda: "other code")
    list(worst_case.measured(["adam"], [0.2], few, path=path))
    assert measured == [("adam", 0.2)] * 2
    assert len(worst_case.kept(path)) == 6


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    assert worst_case.kept(path) == {}
    for content in ("[", "[]", '{"key": {"network": "report"}}'):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"rows\.json"):
            worst_case.kept(path)


def test_a_row_says_which_goal_it_misses() -> None:
    assert a_row("report", 0.1, ours=0.497).missed() == []
    assert len(a_row("report", 0.1, ours=0.496).missed()) == 1
    assert len(a_row("report", 0.1, times=2.9).missed()) == 1
    assert len(a_row("report", 0.1, ours=0.496, times=2.9).missed()) == 2
    assert a_row("report", 0.1, ours=0.523).cells() == [
        *("report", "0.1", "40.0%", "52.3%", "50.0%", "+2.3", "2.00", "8.0", "4.0", "yes")
    ]


def test_the_summary_counts() -> None:
    rows = [a_row("a", 0.1, ours=0.51), a_row("a", 0.2), a_row("b", 0.1, ours=0.45, times=3.5)]
    text = worst_case.summary(rows)
    for figure in ("3 rows", "more in 1", "many in 1", "fewer in 1", "-5.0", "+1.0", "3.5", "2 "):
        assert figure in text
