"""The course report as one HTML file that needs neither another file nor the internet."""

import html
import re

from core.networks import shown_name
from core.presentation.course_report import static_chart
from core.presentation.course_report.content import Block, Chart, Gallery, Section, Table
from core.presentation.course_report.findings import Findings
from core.presentation.course_report.sections import sections
from core.presentation.images import data_uri

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --paper: #fff; --line: #d5d9e0; --soft: #f3f5f8;
        --link: #0060a0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --paper: #14171c; --line: #3a404b; --soft: #1f242c; --link: #6cb8f0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.2rem 4rem; max-width: 62rem; color: var(--ink);
       background: var(--paper); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 3rem 0 0.6rem; padding-top: 0.8rem;
     border-top: 1px solid var(--line); }
p { max-width: 46rem; overflow-wrap: break-word; }
a { color: var(--link); }
nav ol { columns: 18rem; padding-left: 1.6rem; }
code { background: var(--soft); padding: 0.1em 0.3em; border-radius: 4px; }
.wide { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption, figcaption { text-align: left; font-size: 0.9rem; padding: 0.3rem 0; }
caption { font-weight: 600; }
caption span { display: block; max-width: min(46rem, 100vw - 2.4rem); }
th, td { padding: 0.3rem 1.2rem 0.3rem 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid var(--line); }
thead th { vertical-align: bottom; }
tbody th { font-weight: 400; }
td.long { min-width: 13rem; }
figure { margin: 1.2rem 0; }
.columns { display: grid; gap: 1rem 0.8rem; grid-template-columns: repeat(auto-fill, 5.1rem); }
@media (max-width: 40rem) { .columns { grid-template-columns: repeat(5, 1fr); } }
.columns img { display: block; width: 100%; margin-bottom: 0.3rem; image-rendering: pixelated;
               border-radius: 3px; }
.columns span { display: block; font-size: 0.85rem; line-height: 1.35; }
"""

# The page runs no script, and the browser stops any request to the network.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def to_html(findings: Findings, *, name: str) -> str:
    """Return the report as a self-contained HTML file; `name` is the network's."""
    parts = sections(findings)
    name = html.escape(shown_name(name))
    title = f"The course report, line by line: {name}"
    contents = "".join(
        f'<li><a href="#{_anchor(part)}">{html.escape(part.title)}</a></li>' for part in parts
    )
    body = "".join(map(_section, parts))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}{static_chart.STYLE}</style></head>\n<body>\n"
        f"<header>\n<h1>{title}</h1>\n"
        "<p>A course report on network and system security (April 2024) trained a network to read "
        "handwritten digits and attacked it. This page sets its numbers and figures beside "
        f"measurements of the network <strong>{name}</strong>.</p>\n</header>\n"
        f'<nav aria-label="Sections"><ol>{contents}</ol></nav>\n<main>\n{body}</main>\n'
        "</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    blocks = "\n".join(map(_block, section.blocks))
    anchor, title = _anchor(section), html.escape(section.title)
    return (
        f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{title}</h2>\n'
        f"{blocks}\n</section>\n"
    )


def _anchor(section: Section) -> str:
    """Return the title as a part of an address."""
    return re.sub(r"\W+", "-", section.title.lower())


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{_text(block)}</p>"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Chart):
        caption = html.escape(block.caption)
        return (
            f'<figure role="group" aria-label="{caption}">{static_chart.to_html(block.figure)}'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return _gallery(block)


def _text(text: str) -> str:
    """Return a text as HTML; what is in backticks becomes code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in table.head)
    rows = "\n".join(
        f'<tr><th scope="row">{_text(first)}</th>{"".join(map(_cell, others))}</tr>'
        for first, *others in table.rows
    )
    caption = html.escape(table.caption)
    return (
        f'<div class="wide" role="region" aria-label="{caption}" tabindex="0"><table>'
        f"<caption><span>{caption}</span></caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _cell(text: str) -> str:
    """Return a cell; a long one has a minimum width, else a phone would show one word a line."""
    kind = ' class="long"' if len(text) > 30 else ""
    return f"<td{kind}>{_text(text)}</td>"


def _gallery(gallery: Gallery) -> str:
    columns = "\n".join(
        "<div>"
        + "".join(
            f'<img alt="{html.escape(alt)}" src="{data_uri(pixels)}">' for pixels, alt in pictures
        )
        + f"<span>{_text(caption)}</span></div>"
        for pictures, caption in gallery.columns
    )
    return (
        f'<figure><div class="columns">{columns}</div>'
        f"<figcaption>{html.escape(gallery.caption)}</figcaption></figure>"
    )
