"""Report: the course report, line by line, beside what is measured on a network."""

import re
from collections.abc import Callable

import streamlit as st

from core.data import mnist
from core.presentation.course_report import (
    Block,
    Chart,
    Findings,
    Gallery,
    Table,
    Text,
    sections,
    to_html,
)
from core.serving.jobs import DONE, FAILED, Progress
from pages.parts import downloads
from pages.parts.address import put_in_address
from pages.parts.digit_images import show_columns
from pages.parts.failures import failures_explained
from pages.parts.networks import chosen_network, show_network_choice
from pages.parts.reports import look, training_digits
from pages.parts.subject import test_digits
from pages.parts.tables import show_table

AT_ONCE = 0.5  # seconds that the page waits before it shows how far the measurement is


def main() -> None:
    """The page."""
    st.markdown("#### The course report, line by line")
    show_network_choice()
    chosen = chosen_network()
    if chosen is None:
        return
    put_in_address({"model": chosen.name})
    try:
        train, test = training_digits(), test_digits()
    except mnist.DataFileError as error:
        st.error(str(error))
        return
    st.caption(
        "The course report is a student's, on network and system security, of April 2024. Its "
        "figures stand beside those that this program measures on the network that is chosen."
    )
    progress = look(chosen, train, test, wait=AT_ONCE)
    if progress.state == DONE:
        show(progress.result, chosen.name)
    elif progress.state == FAILED:
        st.error(progress.error)
    else:
        show_waiting(lambda: look(chosen, train, test))


@st.fragment(run_every=1.0)
def show_waiting(ask: Callable[[], Progress]) -> None:
    """How far the measurement is; the page runs again when it is done."""
    with failures_explained("Report"):
        progress = ask()
        if progress.state in (DONE, FAILED):
            st.rerun()
        st.progress(progress.share, "All test images are being attacked; this takes some seconds …")


def show(findings: Findings, name: str) -> None:
    """The report's sections, and the file that holds them all."""
    downloads.html(
        "The whole page as one HTML file",
        lambda: to_html(findings, name=name),
        f"report-{name}.html",
        key="html",
    )
    for number, section in enumerate(sections(findings)):
        st.markdown(f"##### {section.title}")
        for place, block in enumerate(section.blocks):
            show_block(block, key=f"{number}-{place}")


def show_block(block: Block, *, key: str) -> None:
    """A paragraph, a table, a chart, or a row of pictures."""
    if isinstance(block, Text):
        st.markdown(block.text)
    elif isinstance(block, Table):
        show_table(block.head, block.rows)
        st.caption(block.caption)
        rows = [[plain(cell) for cell in row] for row in block.rows]
        downloads.csv(block.head, rows, f"{file_name(block.caption)}.csv", key=f"csv-{key}")
    elif isinstance(block, Chart):
        st.plotly_chart(
            block.figure, config=downloads.chart(file_name(block.caption)), key=f"chart-{key}"
        )
        st.caption(block.caption)
    elif isinstance(block, Gallery):
        show_columns(
            [
                # In a narrow column a caption must be free to break anywhere.
                (
                    [(picture.pixels, picture.alt) for picture in pictures],
                    caption.replace("\N{NO-BREAK SPACE}", " "),
                )
                for pictures, caption in block.columns
            ]
        )
        st.caption(block.caption)


def file_name(caption: str) -> str:
    """The first words of a caption, as they may stand in the name of a file."""
    words = re.findall(r"[a-z0-9]+", re.split("[,;(]", caption.lower())[0])
    return "-".join(words)


def plain(cell: str) -> str:
    """A cell without the signs that are only for the eye, for those who compute with it."""
    return cell.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


main()
