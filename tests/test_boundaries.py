"""Imports point one way, and heavy packages are imported only when they are called.

import-linter holds most of the contracts. Here is what it can't see: app.py, which is no package,
and what is really loaded when a page starts.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "torchvision", "numba", "plotly", "segno", "distributed")
HEAVY_CORE = {
    "core.training.augmentation",
    "core.training.compiled",
    "core.training.proof",
    "core.training.pytorch",
}
HEAVY_CORE |= {"core.training.strokes", "core.networks.torch_module", "core.__main__"}
HEAVY_CORE |= {"core.compiled"}
LIGHT_CORE = sorted(
    {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in (ROOT / "core").rglob("*.py")
    }
    - HEAVY_CORE
)


def imported_by(source: str) -> set[str]:
    """Return the top-level names of everything that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def loaded_by(code: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after some code."""
    code += "\nimport sys; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def loaded_after(*modules: str) -> set[str]:
    """Return the top-level modules that a new interpreter has loaded after importing some."""
    return {name.split(".")[0] for name in loaded_by(f"import {', '.join(modules)}")}


def name_of(file: Path) -> str:
    """Return a file's path from the project's folder, the same on every machine."""
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", sorted((ROOT / "core").rglob("*.py")), ids=name_of)
def test_core_knows_nothing_of_the_page(file: Path) -> None:
    assert not imported_by(file.read_text("utf-8")) & {"streamlit", "pages", "app"}


@pytest.mark.parametrize("file", sorted((ROOT / "pages").rglob("*.py")), ids=name_of)
def test_pages_know_nothing_of_app(file: Path) -> None:
    assert "app" not in imported_by(file.read_text("utf-8"))


def test_every_page_has_its_stub() -> None:
    pages = re.findall(r'st\.Page\("([^"]+)"(.*)\)', (ROOT / "app.py").read_text("utf-8"))
    addresses = {
        (re.findall(r'url_path="(\w+)"', settings) or [Path(file).stem])[0]
        for file, settings in pages
        if "default=True" not in settings
    }
    stubs = {file.stem.lstrip("0123456789_") for file in (ROOT / "pages").glob("*.py")}
    assert len(addresses) == len(pages) - 1 > 0
    assert stubs - {"init__"} == addresses


def test_app_only_configures_and_navigates() -> None:
    assert imported_by((ROOT / "app.py").read_text("utf-8")) == {"streamlit", "pages"}


def test_a_forbidden_import_would_be_seen() -> None:
    assert "streamlit" in imported_by("def f():\n    from streamlit import cache_data\n")


def test_core_loads_without_heavy_packages() -> None:
    loaded = loaded_after(*LIGHT_CORE)
    assert not loaded & {*HEAVY, "streamlit"}
    assert "numpy" in loaded


def test_a_page_starts_without_heavy_packages() -> None:
    loaded = loaded_after("pages.parts.subject", "pages.parts.networks", *LIGHT_CORE)
    assert not loaded & (set(HEAVY) - {"plotly"})  # Streamlit itself imports Plotly
    assert "streamlit" in loaded


def test_a_first_visit_loads_neither_pandas_nor_the_course_report() -> None:
    loaded = loaded_by(
        "from streamlit.testing.v1 import AppTest\n"
        "from core.data import drawing\n"
        "drawing.warm_up = lambda: None\n"  # what the server imports in the background
        f"at = AppTest.from_file({str(ROOT / 'app.py')!r}).run(timeout=60)\n"
        "assert not at.exception"
    )
    assert "pages.parts.epsilon_explorer" in loaded
    assert not loaded & {*HEAVY, "cv2", "pandas", "pyarrow", "scipy"} - {"plotly"}
    assert not loaded & {"core.presentation.course_report.findings", "core.networks.foreign"}


def test_a_heavy_import_would_be_seen() -> None:
    assert set(HEAVY) & loaded_after("core.training.compiled") == {"numba"}
    assert "torch" in loaded_after("core.networks.torch_module")
