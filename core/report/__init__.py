"""The course report, line by line: what it says beside what is measured on a network."""

from core.report.content import Block, Chart, Gallery, Picture, Section, Table, Text
from core.report.findings import PASSES, Findings, measure_report
from core.report.page import to_html
from core.report.sections import sections

__all__ = [
    "PASSES",
    "Block",
    "Chart",
    "Findings",
    "Gallery",
    "Picture",
    "Section",
    "Table",
    "Text",
    "measure_report",
    "sections",
    "to_html",
]
