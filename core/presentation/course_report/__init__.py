"""The course report, line by line: its statements beside measurements of a network."""

from core.evaluation.replication import PASSES
from core.presentation.course_report.content import Block, Chart, Gallery, Table
from core.presentation.course_report.findings import (
    Findings,
    measure_report,
    shipped_report,
    write_shipped,
)
from core.presentation.course_report.html_file import to_html
from core.presentation.course_report.sections import sections

__all__ = [
    "PASSES",
    "Block",
    "Chart",
    "Findings",
    "Gallery",
    "Table",
    "measure_report",
    "sections",
    "shipped_report",
    "to_html",
    "write_shipped",
]
