"""The course report's file, read back."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.__main__ import main
from core.data.mnist import Digits
from core.evaluation.limits import Limits
from core.networks import MLP, Card, save_file
from core.presentation.course_report import facts, static_chart
from core.presentation.course_report.charts import (
    evasion_beside_reported,
    found_and_proved,
    loss_over_epochs,
)
from core.presentation.course_report.content import Chart, Gallery, Table, percent
from core.presentation.course_report.findings import Findings
from core.presentation.course_report.html_file import to_html
from core.presentation.course_report.sections import sections
from core.training import of_digits
from tests.core.presentation.course_report.conftest import of_kind, predictions

ROOT = Path(__file__).parents[4]


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it, and that it is open."""
        self.handle_startendtag(tag, attrs)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is shown."""
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        """The attributes of all tags of a kind."""
        return [attributes for tag, attributes in self.tags if tag == wanted]


def test_the_page_holds_every_section_and_asks_for_nothing_else(of_any_kind: Findings) -> None:
    page = to_html(of_any_kind, name="mine")
    reader = Reader(page)
    addresses = [
        value
        for _, attributes in reader.tags
        for name, value in attributes.items()
        if name in ("src", "href", "data", "action", "poster", "srcset")
    ]
    assert all(value and value.startswith(("data:", "#")) for value in addresses)
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "iframe", "object", "base"}
    assert len(page) < 200_000
    for section in sections(of_any_kind):
        assert section.title in reader.text
        for block in section.blocks:
            if isinstance(block, (Table, Chart, Gallery)):
                assert block.caption in reader.text
    anchors = {attributes["id"] for attributes in reader.all("h2")}
    assert {value[1:] for value in addresses if value and value[0] == "#"} == anchors
    assert len(anchors) == len(sections(of_any_kind))


def test_every_image_says_what_it_shows(findings: Findings) -> None:
    images = Reader(to_html(findings, name="x")).all("img")
    blocks = [block for section in sections(findings) for block in section.blocks]
    galleries = [block for block in blocks if isinstance(block, Gallery)]
    pictures = [
        picture for gallery in galleries for column, _ in gallery.columns for picture in column
    ]
    assert [image["alt"] for image in images] == [picture.alt for picture in pictures]
    assert len(images) >= 20
    assert all(picture.alt for picture in pictures)


def test_markup_in_names_is_shown_and_not_obeyed(together: Findings) -> None:
    name = '<script>alert(1)</script>"&'
    reader = Reader(to_html(together, name=name))
    assert name in reader.text
    assert not reader.all("script")


def test_a_chart_draws_every_value_where_it_belongs() -> None:
    epsilons, rates = [0, 0.25, 0.5, 1], [0, 0.51, 0.75, 1]
    figure = evasion_beside_reported(
        epsilons, {"a": rates, "<b>": rates[::-1]}, reported=facts.EVASION_RATE
    )
    reader = Reader(static_chart.to_html(figure))
    line = next(str(path["d"]) for path in reader.all("path") if "L" in str(path["d"]))
    drawn = [tuple(map(int, place.split())) for place in line[1:].split("L")]
    for (across, down), epsilon, rate in zip(drawn, epsilons, rates, strict=True):
        assert across == pytest.approx(1000 * epsilon, abs=1)
        assert down == pytest.approx(1000 * (1 - rate / 1.02), abs=1)
    assert len(reader.all("title")) == 2 * len(rates)
    assert "51.0%" in reader.text and "<b>" in reader.text and "72.13%" in reader.text
    ticks = [label["style"] for label in reader.all("span") if label["class"] == "x"]
    assert ticks == [f"left:{20 * place}%" for place in range(6)]


def test_a_chart_of_points_names_them_and_draws_them_where_they_belong() -> None:
    limits = Limits(found=0.9, proved=0.25, reached=0.2, excluded=None)
    figure = found_and_proved([0, 0.1, 0.2], [0, 0.5, 0.6], 0.25, limits, reported=0.7)
    reader = Reader(static_chart.to_html(figure))
    for name in ("FGSM", "PGD", "the strongest attack", "the proof's limit"):
        assert name in reader.text
    drawn = [
        tuple(map(int, str(path["d"]).removeprefix("M").removesuffix("h0").split()))
        for path in reader.all("path")
        if path.get("style") and str(path["d"]) != "M18 4h0"
    ]
    expected = [(0.2, 0.7), (0.25, 0.9), (0.25, 0.75)]
    for (across, down), (epsilon, rate) in zip(drawn, expected, strict=True):
        assert across == pytest.approx(1000 * epsilon / 0.5, abs=1)
        assert down == pytest.approx(1000 * (1 - rate / 1.02), abs=1)


def test_a_chart_s_axis_ends_above_its_largest_value() -> None:
    reader = Reader(static_chart.to_html(loss_over_epochs({"a": facts.LOG})))
    points = [str(path["d"]) for path in reader.all("path") if path.get("class") == "point"]
    assert len(points) == 2 * len(facts.LOG) + 1
    for point in points:
        across, down = map(int, point.removeprefix("M").removesuffix("h0").split())
        assert 0 < across < 1000
        assert 0 < down < 1000


@pytest.mark.thorough
def test_the_command_writes_the_file(
    tmp_path: Path, report_network: MLP, card: Card, test_digits: Digits
) -> None:
    model = tmp_path / "fives & more.safetensors"
    save_file(model, report_network, of_kind(card, digits=(5,)))
    out = tmp_path / "new folder" / "report.html"
    command = [sys.executable, "-m", "core", "report", "--model", str(model), "--out", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == f"Written to {out}\n"
    assert "100%" in run.stderr
    text = Reader(out.read_text("utf-8")).text
    assert "fives & more" in text
    tested = of_digits(test_digits, (5,))
    assert percent((predictions(report_network, tested.x) == tested.y).mean()) in text
    assert f"{len(tested):,} test images" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "nothing"], "error: nothing can't be used: there is no such file."),
        (["--model", "/tmp/none/x.safetensors"], "error: x.safetensors can't be used: there is"),
        (["--out", "/proc/none/report.html"], "error: /proc/none/report.html can't be written"),
        (["--out", "/"], "error: / is a folder"),
    ],
)
def test_what_can_t_be_done_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1
    assert not printed.out
