"""What the README says is true, and what it says can be done can be done."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from core import measures
from core.attacks import fgsm
from core.data.mnist import Digits
from core.networks import LIBRARY, MLP

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.thorough
def test_the_ten_lines_of_core_run() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows = re.findall(r"^(\w+) \[(0\.\d+), (0\.\d+), (0\.\d+)\]$", done.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["fgsm", "pgd", "noise"]
    assert all(
        float(pgd) >= float(fgsm) for fgsm, pgd in zip(rows[0][1:], rows[1][1:], strict=True)
    )


def test_the_accuracies_are_the_shipped_network_s() -> None:
    card = LIBRARY.load("report")[1]
    (said,) = re.findall(r"here\s+reaches (\d+\.\d+) % and (\d+\.\d+) %", README)
    assert said == (f"{100 * card.train_accuracy:.2f}", f"{100 * card.test_accuracy:.2f}")


def test_the_evasion_rates_are_the_shipped_network_s(
    report_network: MLP, test_digits: Digits
) -> None:
    ((exact, autograd),) = re.findall(r"with (\d+) % of the test images instead of (\d+) %", README)
    x, y = test_digits.x, test_digits.y
    for said, gradient in ((exact, "exact"), (autograd, "float32_autograd")):
        x_adv = fgsm(report_network, x, y, 0.2, gradient=gradient)
        rate = measures.evasion_rate(report_network, x_adv, y)
        assert 100 * rate == pytest.approx(int(said), abs=0.6)


def test_what_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert {"docs/draw.png", "docs/flip.gif", "LICENSE", "benchmarks/RESULTS.md"} <= set(links)
    assert all((ROOT / link).exists() for link in links)
    assert (ROOT / "docs/flip.gif").stat().st_size < 2_000_000


def test_the_files_and_modules_it_names_are_there() -> None:
    named = re.findall(r"`((?:core|pages|benchmarks)/[\w./]+)`", README)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 130
