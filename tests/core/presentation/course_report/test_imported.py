"""The course report of a network that another program trained."""

import dataclasses

import pytest

from core.presentation.course_report.content import Table
from core.presentation.course_report.findings import Findings
from core.presentation.course_report.sections import sections
from core.presentation.course_report.training import UNKNOWN
from tests.core.networks.samples import IMPORTED


@pytest.fixture
def imported(findings: Findings) -> Findings:
    own = findings.accuracies
    card = dataclasses.replace(IMPORTED, train_accuracy=own.train, measured_on=10_000)
    return dataclasses.replace(findings, card=card)


def test_what_is_not_known_is_not_made_up(imported: Findings) -> None:
    texts, settings, images = [], [], []
    for section in sections(imported):
        for block in section.blocks:
            if isinstance(block, str):
                texts.append(block)
            elif isinstance(block, Table) and block.caption.startswith("The settings"):
                settings = [row[2] for row in block.rows]
            elif isinstance(block, Table) and "divided" in block.caption:
                images = [row[3] for row in block.rows]
    assert settings == [UNKNOWN] * 6
    assert images[0] == UNKNOWN != images[1]
    said = " ".join(texts)
    assert said.count("not known") >= 3
    for wrong in ("It learned from", "The recipe is", "The standard recipe", "other accuracies"):
        assert wrong not in said
