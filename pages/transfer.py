"""Streamlit runs this file in place of app.py on the first visit after a start."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parent.parent / "app.py"))
