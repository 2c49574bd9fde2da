"""Report: the course report, line by line, beside measurements of a network."""

import re

import streamlit as st

from core.evaluation.shipped import MeasuredFileError
from core.presentation.course_report.content import Block, Chart, Table
from core.presentation.course_report.findings import Findings
from core.presentation.course_report.html_file import to_html
from core.presentation.course_report.sections import sections
from core.serving.jobs import DONE, FAILED
from pages.parts import downloads
from pages.parts.address import put_in_address
from pages.parts.contents import show_contents
from pages.parts.digit_images import show_columns
from pages.parts.escaped import escaped, with_code
from pages.parts.networks import chosen_network, show_network_choice
from pages.parts.server import server, who
from pages.parts.state import MODEL
from pages.parts.tables import show_table
from pages.parts.trainings import show_accuracies
from pages.parts.waiting import show_waiting


def main() -> None:
    """Show the page."""
    st.markdown("# The course report, line by line")
    show_network_choice()
    chosen = chosen_network()
    if chosen is None:
        return
    put_in_address({MODEL: chosen.name})
    st.caption(
        "A student wrote the course report in April 2024, for a course on network and system "
        "security. This page sets its figures beside those measured on the chosen network."
    )
    try:
        shipped = chosen.shipped_report
    except MeasuredFileError as error:
        st.error(f"{with_code(str(error))} Until then, the network is measured here.")
        shipped = None
    if shipped is not None:
        show(shipped, chosen.name)
        return
    progress, computation = server().measurements.report_to_show(chosen, who=who())
    if progress.state == DONE:
        show(progress.result, chosen.name)
    elif progress.state == FAILED:
        st.error(escaped(progress.error))
    else:
        show_waiting("Report", "Attacking", {"all test images": computation})
        show_accuracies(chosen.card)


def show(findings: Findings, name: str) -> None:
    """Show the report's sections, and a button for the file that holds them all."""
    downloads.html(
        "The whole page as one HTML file",
        lambda: to_html(findings, name=name),
        f"report-{name}.html",
        key="html",
    )
    parts = sections(findings)
    show_contents(part.title for part in parts)
    for number, section in enumerate(parts):
        st.markdown(f"## {section.title}")
        for place, block in enumerate(section.blocks):
            show_block(block, key=f"{number}-{place}")


def show_block(block: Block, *, key: str) -> None:
    """Show a paragraph, a table, a chart, or a row of pictures."""
    if isinstance(block, str):
        st.markdown(with_code(block))
        return
    file = file_name(block.caption)
    if isinstance(block, Table):
        show_table(block.head, block.rows)
    elif isinstance(block, Chart):
        st.plotly_chart(block.figure, config=downloads.chart(file), key=f"chart-{key}")
    else:
        show_columns(block.columns)
    st.caption(with_code(block.caption))
    if isinstance(block, Table):
        rows = [[plain(cell) for cell in row] for row in block.rows]
        downloads.csv(block.head, rows, f"{file}.csv", key=f"csv-{key}")


def file_name(caption: str) -> str:
    """Return a file name from a caption's first words."""
    words = re.findall(r"[a-z0-9]+", re.split("[,;(]", caption.lower())[0])
    return "-".join(words)


def plain(cell: str) -> str:
    """Return a cell with plain spaces and minus signs, for other programs to read."""
    return cell.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


main()
