"""The browser shows strangers' text as it is: no link, no picture, no formula, no icon."""

from pathlib import Path

from playwright.sync_api import Page, expect

from pages.parts.escaped import escaped
from tests.browser.conftest import serve

TEXTS = [
    "www.stranger.example http://stranger.example/a HTTPS://stranger.example a@stranger.example",
    "![p](http://stranger.example/p.png) [l](http://stranger.example) <http://stranger.example>",
    '<img src="http://stranger.example/p.png"> <b>bold</b> &lt;i&gt; &amp;',
    "_a_ *b* **c** ~~d~~ `e` $f^2$ $$g$$ \\(h\\)",
    ":red[a] :red-background[b] :material/add: :smile: :streamlit: :small[c] ::d[e]",
    "a -> b <- c -- d >= e <= f ~= g <-> h",
    "# title",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "> quoted",
    "===",
    "---",
    "| a | b |",
    "[^1] [x]: http://stranger.example",
]
FOUND = """
[...document.querySelectorAll("[data-testid=stMarkdownContainer]")].map(each => [
  each.innerText.replaceAll("\\u2060", ""),
  each.querySelectorAll("a, img, em, strong, del, code, b, i, h1, li, table, blockquote, hr")
    .length + each.querySelectorAll(".katex, [data-testid=stIconMaterial], span[style]").length,
])
"""


def test_escaped_text_is_shown_as_it_is(page: Page, tmp_path: Path) -> None:
    script = tmp_path / "shown.py"
    lines = [f"st.markdown({escaped(text)!r})" for text in TEXTS]
    lines += [f"st.button({escaped(text)!r}, key={place})" for place, text in enumerate(TEXTS)]
    lines += [f"st.markdown({text!r})" for text in (TEXTS[0], TEXTS[3])]  # the check can fail
    script.write_text("\n".join(["import streamlit as st", *lines, "st.text('the end')"]), "utf-8")
    with serve(script=str(script)) as url:
        page.goto(url)
        expect(page.get_by_text("the end")).to_be_visible()
        expect(page.get_by_role("button").filter(has_text="stranger")).to_have_count(4)
        found = page.evaluate(FOUND)
    shown = [text for text, _ in found]
    for text in TEXTS:
        assert shown.count(text) >= 2
    assert sum(effects for _, effects in found[: 2 * len(TEXTS)]) == 0
    assert sum(effects for _, effects in found[-2:]) >= 4
