"""Text that strangers wrote has no effect on a page."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core.networks import Library
from core.networks.file import to_bytes
from pages.parts.escaped import MOST, escaped, with_code
from tests.conftest import SHIPPED
from tests.core.networks.samples import CARD, NETWORK, RECIPE
from tests.pages.conftest import opened, well

APP = Path(__file__).parent.parent.parent / "app.py"
PAGES = [
    "pages/attack/draw.py",
    "pages/attack/whole_test_set.py",
    "pages/attack/transfer.py",
    "pages/training/train.py",
    "pages/training/remedies.py",
    "pages/course/report.py",
    "pages/course/lesson.py",
]
# A name that a network can have. As Markdown it is a link, and the rest is slanted.
NAME = "www.stranger.example _x_ -"
FILE = "![p](http://stranger.example/p.png) :red[x] :material/add: $x$ <b> `x` a@stranger.example"
JOINER = "\N{WORD JOINER}"
# Fields of Streamlit's messages that are no Markdown: keys, and what a browser shows as it is.
PLAIN = {
    "id",
    "element_id",
    "options",
    "format_func",
    "default",
    "raw_values",
    "string_values",
    "json",
    "spec",
    "data",
    "bytes",
    "arrow",
    "url",
    "query_string",
    "value",
    "raw_value",
    "set_value",
    "file_name",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("few-images", "few-images"),
        ("any other name, 2.5 = 3", "any other name, 2.5 = 3"),
        ("a_b *c* [d](e) `f` <g> $h$ ~i~ |", r"a_b \*c\* \[d\](e) \`f\` \<g\> \$h\$ \~i\~ \|"),
        ("www.a.example", f"www{JOINER}.a.example"),
        ("see HTTPS://a.example", f"see HTTPS:{JOINER}//a.example"),
        ("a@b.example", f"a@{JOINER}b.example"),
        (
            ":red[x] :material/add: :smile:",
            rf":{JOINER}red\[x\] :{JOINER}material/add: :{JOINER}smile:",
        ),
        ("one\n\ntwo\r\u2028three\u202e\0", "one two three"),
        ("a -> b -- c", rf"a -{JOINER}\> b -{JOINER}- c"),
        ("# title", r"\# title"),
        ("- item", r"\- item"),
        ("1. item", f"1{JOINER}. item"),
        ("&lt;", r"\&lt;"),
        ("\\", "\\\\"),
        ("x" * 5000, "x" * (MOST - 1) + "…"),
    ],
)
def test_what_has_an_effect_is_escaped(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_code_stays_code_and_nothing_is_cut() -> None:
    long = "word " * 500
    text = f"{long}`python -m core_x` _makes_ it\N{NO-BREAK SPACE}anew."
    expected = rf"{long}`python -m core_x` \_makes\_ it{chr(160)}anew."
    assert with_code(text) == expected


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_keeps_an_effect(text: str) -> None:
    found = escaped(text)
    found = re.sub(r"(?<=[^\W_])_(?=[^\W_])", "", found)  # between letters
    bare = found.replace("\\\\", "").replace("\\`", "").replace("\\*", "")
    for special in "`*_[]<>$~|&{}":
        assert special not in bare.replace(f"\\{special}", "")
    assert "\n" not in found
    assert "://" not in found


def strings(message: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield all strings in a message, each with the name of its field."""
    for field, value in message.ListFields():
        one = isinstance(value, str | bytes) or not hasattr(value, "__iter__")
        for each in [value] if one else value:
            if hasattr(each, "ListFields"):
                yield from strings(each, f"{path}.{field.name}")
            elif isinstance(each, str):
                yield f"{path}.{field.name}", each


def markdown(at: AppTest) -> list[tuple[str, str]]:
    """Return all text that a page shows as Markdown, each with the field of its message."""
    found = []
    for element in walk(at._tree):
        proto = getattr(element, "proto", None)
        kind = getattr(element, "type", "")
        if hasattr(proto, "ListFields") and kind not in ("html", "code", "plotly_chart", "iframe"):
            for path, text in strings(proto):
                if not PLAIN & set(path.split(".")):
                    found.append((f"{kind}{path}", text))
    return found


def walk(block: Any) -> Iterator[Any]:
    """Yield a block and everything in it."""
    yield block
    for child in getattr(block, "children", {}).values():
        yield from walk(child)


def has_an_effect(text: str) -> bool:
    return "www.stranger" in text.lower() or "_x_" in text.replace("\\_", "")


def test_the_check_can_fail() -> None:
    script = f"import streamlit as st; st.error({NAME!r}); st.button({NAME!r}); st.text({NAME!r})"
    at = AppTest.from_string(script).run()
    assert sum(has_an_effect(text) for _, text in markdown(at)) >= 2
    assert not has_an_effect(escaped(NAME))


@pytest.fixture
def crafted(library: Library) -> Library:
    """A library with a network whose name and card are a stranger's."""
    (library.folder / "report.safetensors").write_bytes(SHIPPED.path("report").read_bytes())
    recipe = replace(RECIPE, start=NAME.strip(" -"), frozen=1)
    library.keep(NAME, NETWORK, replace(CARD, recipe=recipe))
    return library


@pytest.mark.parametrize("script", PAGES)
def test_no_page_shows_a_stranger_s_text_with_an_effect(script: str, crafted: Library) -> None:
    name = next(each for each in crafted.names() if each != "report")
    queries = [{"model": name, "compare": name, "card": name, "networks": name}]
    if "draw" in script:
        queries.append({"model": "report", "compare": name, "digit": "0", "code": "on"})
    if "transfer" in script:
        queries.append({"networks": f"report~{name}", "made_on": name, "tried_on": "report"})
        queries.append({"networks": f"report~{name}~{name}x", "made_on": f"{name}y"})
    for query in queries:
        at = opened(str(APP), script, **query)
        shown = markdown(at)
        assert len(shown) > 5
        assert not [(path, text) for path, text in shown if has_an_effect(text)]
    assert not at.exception


def test_messages_about_a_stranger_s_network_and_file_have_no_effect(crafted: Library) -> None:
    name = next(each for each in crafted.names() if each != "report")
    at = opened(str(APP), "pages/training/train.py", card=name)
    content = to_bytes(NETWORK, CARD)
    for file, body in ((FILE, content), (NAME, b"nothing"), (FILE, b"nothing"), (NAME, content)):
        at.file_uploader(key="upload").set_value((f"{file}.safetensors", body, "application/x"))
        well(at.run())
        assert at.success or at.error
        for said in (*at.success, *at.error):
            assert not has_an_effect(said.value)
            assert said.value == escaped(said.value.replace("\\", "").replace(JOINER, ""))
    at.text_input(key="recipe_hidden").set_value(FILE)
    well(at.run())
    assert at.warning
    assert f":{JOINER}red" in at.warning[0].value
    well(at.button(key="delete").click().run())
    assert not has_an_effect(at.success[0].value)


def test_a_card_with_a_start_that_is_no_name_is_refused() -> None:
    fields = vars(RECIPE)
    for start in (FILE, "a\nb", "[x](http://stranger.example)", "x" * 41, " a"):
        with pytest.raises(ValueError, match="start must be a network's name"):
            type(RECIPE)(**{**fields, "start": start})


def test_errors_reach_a_page_through_the_helper_alone() -> None:
    """No call of Streamlit gets an error's text, or a progress's, as it is."""
    wrong = []
    for path in [APP, *APP.parent.glob("pages/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if any(keyword.arg == "unsafe_allow_html" for keyword in node.keywords):
                    wrong.append(f"{path.name}:{node.lineno}: HTML")
                logs = "logging" in ast.unparse(node.func)
                if not logs and node.func.attr in (
                    "error",
                    "warning",
                    "info",
                    "success",
                    "markdown",
                    "caption",
                ):
                    wrong += [
                        f"{path.name}:{node.lineno}: {ast.unparse(argument)}"
                        for argument in node.args
                        if raw(argument)
                    ]
    assert wrong == []


def raw(node: ast.expr) -> bool:
    """Return whether an expression is an error's text without the helper."""
    if isinstance(node, ast.JoinedStr):
        return any(raw(part.value) for part in node.values if isinstance(part, ast.FormattedValue))
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "str" and any(raw(argument) for argument in node.args)
    return ast.unparse(node) in ("error", "progress.error", "status.error", "shown.error", "name")


def test_the_static_check_can_fail() -> None:
    for text in ("str(error)", "f'{error} Choose'", "progress.error", "f'Kept as {name}.'"):
        assert raw(ast.parse(text, mode="eval").body)
    for text in ("escaped(str(error))", "f'{escaped(name)}'", "'error'"):
        assert not raw(ast.parse(text, mode="eval").body)
