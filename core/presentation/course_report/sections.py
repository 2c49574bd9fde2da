"""The course report's sections in its order, its numbers beside ours."""

from core.presentation.course_report.attack import on_evasion, on_labels, on_twins
from core.presentation.course_report.content import Section
from core.presentation.course_report.findings import Findings
from core.presentation.course_report.limits import on_limits
from core.presentation.course_report.recommendations import on_recommendations
from core.presentation.course_report.similarity import on_explanations
from core.presentation.course_report.training import (
    on_accuracies,
    on_data,
    on_log,
    on_network,
    on_recipe,
)


def sections(findings: Findings) -> tuple[Section, ...]:
    """Return the report's sections, filled with its statements and our measurements."""
    parts = {
        "The data": on_data,
        "The network": on_network,
        "How it was trained": on_recipe,
        "The log of the training": on_log,
        "Accuracy": on_accuracies,
        "The evasion rate": on_evasion,
        "What was found and what is proved": on_limits,
        "Digits and their adversarial twins": on_twins,
        "What each digit is most often taken for": on_labels,
        "Are a digit and its label similar?": on_explanations,
        "What was recommended": on_recommendations,
    }
    return tuple(Section(title, tuple(part(findings))) for title, part in parts.items())
