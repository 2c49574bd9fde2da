"""What the README says can be done can be done."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


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


def test_what_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert {"docs/draw.png", "docs/flip.gif", "LICENSE"} <= set(links)
    assert all((ROOT / link).exists() for link in links)
    assert (ROOT / "docs/flip.gif").stat().st_size < 2_000_000
