"""A sentence that belongs to a state which the browser knows and the server does not."""

import json

import streamlit as st


def show_below(selector: str, sentence: str) -> None:
    """Show a sentence below what a CSS selector finds, as long as it finds something.

    Args:
        selector: of elements on the page, with a state such as `[aria-invalid=true]`.
        sentence: plain text.
    """
    text = json.dumps(sentence, ensure_ascii=False)  # a string of CSS, too
    st.html(
        f"<style>{selector}::after "
        f"{{ content: {text}; display: block; flex: 1 0 100%; line-height: 1.35; }}</style>"
    )
