"""Run the benchmarks and write what they print into benchmarks/RESULTS.md.

`python -m benchmarks` runs all of them; `python -m benchmarks training load` runs some. Each
replaces its own section of the file. `python -m benchmarks.training` prints one without writing.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
TITLES = {
    "training": "Training the report's recipe",
    "presets": "Training every preset",
    "convolution": "Convolutions in NumPy",
    "attacks": "FGSM and PGD",
    "other_attacks": "The other attacks",
    "foreign": "Networks trained elsewhere",
    "foreign_import": "A network brought along",
    "worst_case": "The worst case",
    "square": "The square attack",
    "bounds": "What is proved",
    "refine": "Proof and attack come together",
    "curves": "Evasion curves",
    "transfer": "Which attack fools which network",
    "plane": "The map around a digit",
    "growth": "How time and memory grow",
    "handwriting": "What people draw and photograph",
    "page": "The pages in a browser",
    "load": "A class on the Draw page",
}
HEAD = """# Results

`make bench` installs the peers, measures everything below, and writes this file. What a table
compares was measured in turn within one run. Compare the ratios, not the seconds: machines differ.
"""


def main() -> int:
    """Run the benchmarks that are named, all without a name; return 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TITLES))
    names = parser.parse_args().names or list(TITLES)
    if unknown := sorted({*names} - {*TITLES}):
        parser.error(f"there is no benchmark {unknown[0]!r} among {', '.join(TITLES)}")
    failed = [name for name in names if not measure(name)]
    if failed:
        print(f"These failed, and their results stay as they were: {', '.join(failed)}")
    return 1 if failed else 0


def measure(name: str) -> bool:
    """Run one benchmark in a process of its own and write its section; return whether it worked."""
    print(f"Running benchmarks.{name} …", flush=True)
    # With BLAS's own choice of code for the processor, as users have it, whatever is set here.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"],
        cwd=RESULTS.parent.parent,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(run.stdout, flush=True)
    if run.returncode == 0:
        source = ast.parse((RESULTS.parent / f"{name}.py").read_text("utf-8"))
        body = f"{ast.get_docstring(source)}\n\n{run.stdout.strip()}"
        text = RESULTS.read_text("utf-8") if RESULTS.exists() else ""
        RESULTS.write_text(with_section(text, TITLES[name], body), "utf-8")
    return run.returncode == 0


def with_section(text: str, title: str, body: str) -> str:
    """Return the file's text with the section of a title replaced, the sections in `TITLES`' order.

    Args:
        text: of the file so far; "" where there is none.
        title: one of `TITLES`.
        body: what the section is to hold.
    """
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True)) | {title: body}
    shown = [title for title in TITLES.values() if title in sections]
    return "\n".join([HEAD, *(f"## {title}\n\n{sections[title].strip()}\n" for title in shown)])


if __name__ == "__main__":
    sys.exit(main())
