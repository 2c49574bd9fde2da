"""Streamlit looks into this folder on the first visit after a start; app.py knows the way."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parent.parent / "app.py"))
