"""The file of the benchmarks' results, which `make bench` writes."""

import re

from benchmarks.__main__ import RESULTS, TITLES, with_section


def test_every_benchmark_has_its_section_in_order() -> None:
    text = RESULTS.read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [*TITLES.values()]
    for name in TITLES:
        assert (RESULTS.parent / f"{name}.py").exists()


def test_a_section_is_replaced_and_the_others_stay() -> None:
    text = RESULTS.read_text("utf-8")
    title = TITLES["attacks"]
    (own,) = re.findall(rf"^## {title}\n\n(.*?)\n(?=\n## )", text, re.MULTILINE | re.DOTALL)
    assert with_section(text, title, own) == text
    new = with_section(text, title, "| new |")
    assert new == text.replace(own, "| new |")


def test_a_file_is_begun() -> None:
    text = with_section(with_section("", TITLES["load"], "b"), TITLES["page"], "a")
    assert re.findall(r"^(?:## .+|a|b)$", text, re.MULTILINE) == [
        f"## {TITLES['page']}",
        "a",
        f"## {TITLES['load']}",
        "b",
    ]
