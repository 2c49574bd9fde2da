"""The pages in a real browser, beside the least Streamlit pages that do something of the kind.

Of Draw: how long until it can be used, how long from the end of a stroke to its answer, and what
dragging the slider costs; the last two beside each other for a perceptron and for a convolutional
network. Of the pages that measure: how long a server that has just been started takes to show its
first figure. `--first` measures the last of these only, `--network NAME` only Draw with that
network beside the perceptron.
"""

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.measuring import print_machine, print_table
from benchmarks.site import PATIENCE, Site, server
from tests.browser import chromium

STARTS = 7
DRAWINGS = 10
DRAGS = 3  # there and back
MOVES = 100
THUMB_RADIUS = 13
PERCEPTRON, CONVOLUTIONAL = "report", "convolutional"  # networks

# Lines on the canvas, from end to end in its own pixels; each begins on one before, so that all are
# one digit, and has each of the networks measured here see another digit, or be surer or less sure.
STROKES = (
    ((200, 140), (140, 60)),
    ((140, 60), (80, 70)),
    ((140, 60), (80, 140)),
    ((140, 60), (200, 220)),
    ((80, 140), (140, 220)),
)


DRAW = Site(
    "app.py",
    (
        "canvas.upper-canvas",
        ".st-key-brush input",
        ".st-key-attack input",
        ".st-key-model input",
    ),
    "[...document.querySelectorAll('[data-testid=stText]')].at(-1).textContent",
)
EXPLORER = replace(DRAW, answer="find('.explorer canvas.clean')?.toDataURL()")
BARE_SLIDER = Site(
    "benchmarks/bare/slider.py", ("[data-testid=stSlider] input", "[data-testid=stText]")
)
BARE_CANVAS = Site(
    "benchmarks/bare/canvas.py",
    ("canvas.upper-canvas", "[data-testid=stText]"),
    "find('[data-testid=stText]').textContent",
)

BARE_CHART = Site("benchmarks/bare/chart.py", (".js-plotly-plot .main-svg",))
# The first number or chart of a page's own content; what comes first on each is named here.
FIRST_FIGURES = {
    "Test set: the first rate": Site("app.py", ("[data-testid=stMetricValue]",), "", "/test_set"),
    "Remedies: the table": Site("app.py", ("[data-testid=stDataFrame] canvas",), "", "/remedies"),
    "Report: the first table": Site("app.py", (".rows td",), "", "/report"),
}

# Components have shadow roots of their own, into which a selector does not look.
FIND = """window.find = (selector) => {
  const shadows = [...document.querySelectorAll("*")].map((element) => element.shadowRoot);
  const roots = [document, ...shadows.filter(Boolean)];
  return roots.map((root) => root.querySelector(selector)).find(Boolean);
};"""

VISIBLE = "(parts) => parts.every((part) => find(part)?.getClientRects().length)"

# Looks at every frame that the browser shows, from the end of the next stroke on.
WATCH = """(expression) => {
  const answer = () => eval(expression);
  const before = answer();
  window.latency = new Promise((resolve, reject) => {
    const look = (since) => {
      const passed = performance.now() - since;
      if (answer() !== before) resolve(passed);
      else if (passed > 10_000) reject("The stroke changed nothing.");
      else requestAnimationFrame(() => look(since));
    };
    const ended = () => look(performance.now());
    addEventListener("mouseup", ended, { capture: true, once: true });
  });
}"""

COUNT_FRAMES = """(output) => {
  window.drawn = 0;
  new MutationObserver(() => window.drawn++).observe(output, { childList: true });
}"""


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--network", metavar="NAME")
    only = parser.parse_args()
    everything = not (only.first or only.network)
    tables: dict[tuple[str, str], list[list[str]]] = {}
    path = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        if everything or only.first:
            tables["First figure", "bare page with a chart"] = first_figure_rows(browser)
        if everything:
            rows = [*start_rows(browser), *stroke_rows(browser), *drag_rows(browser)]
            tables["Draw page", "bare page"] = rows
        if everything or only.network:
            name = only.network or CONVOLUTIONAL
            tables[f"Draw with {name}", "the perceptron"] = network_rows(browser, name)
        browser.close()
    print_machine()
    for (title, other), rows in tables.items():
        print_table([title, "ours", other, "ratio", "target"], rows)
        print()
    print(
        f"Medians of {STARTS} starts, {DRAWINGS} drawings of {len(STROKES)} strokes and "
        f"{2 * DRAGS} drags, the pages in turn. The bare "
        "pages are in benchmarks/bare, under the same settings."
    )


def open_page(browser: Browser) -> Page:
    """An empty page of a browser that remembers nothing."""
    page = browser.new_context().new_page()
    page.add_init_script(FIND)
    return page


def wait_for(site: Site, page: Page) -> None:
    """Return once the page can be used; looked at every frame, as a locator's waits are longer."""
    page.wait_for_function(VISIBLE, arg=site.parts, polling="raf", timeout=1000 * PATIENCE)


def start_rows(browser: Browser) -> list[list[str]]:
    """From the start of the server's process to a page that can be used."""
    (ours, _), (bare, _) = start_times(browser, [DRAW, BARE_SLIDER])
    return [compared("process start to usable page (bare: a slider)", ours, bare, 1.5)]


def first_figure_rows(browser: Browser) -> list[list[str]]:
    """To the first figure of each page that measures, from the process's start and the request."""
    *ours, bare = start_times(browser, [*FIRST_FIGURES.values(), BARE_CHART])
    return [
        compared(f"{name}, from {since}", times[place], bare[place], 2)
        for place, since in enumerate(("process start", "the request to a server just started"))
        for name, times in zip(FIRST_FIGURES, ours, strict=True)
    ]


def start_times(browser: Browser, sites: Sequence[Site]) -> list[tuple[float, float]]:
    """Median milliseconds until a page can be used, the sites in turn.

    Each time with a new server process and an empty browser cache; one turn before warms the disk.

    Returns:
        For each site the time since the start of the process, and since the browser's request.
    """
    since_start: dict[Site, list[float]] = {site: [] for site in sites}
    since_request: dict[Site, list[float]] = {site: [] for site in sites}
    for turn in range(STARTS + 1):
        for site in sites:
            page = open_page(browser)
            started = time.perf_counter()
            with server(site) as url:
                requested = time.perf_counter()
                page.goto(url + site.address, wait_until="commit")
                wait_for(site, page)
                if turn > 0:
                    since_start[site].append(time.perf_counter() - started)
                    since_request[site].append(time.perf_counter() - requested)
                page.context.close()
    median = statistics.median
    return [(1000 * median(since_start[s]), 1000 * median(since_request[s])) for s in sites]


def stroke_rows(browser: Browser) -> list[list[str]]:
    """From the end of a stroke to its answer on the page, beside a bare canvas."""
    firsts, others = stroke_times(browser, (DRAW, EXPLORER, BARE_CANVAS))

    def row(name: str, times: Mapping[Site, float], site: Site, most: float | None) -> list[str]:
        return compared(name, times[site], times[BARE_CANVAS], most)

    return [
        row("end of a stroke to the prediction (bare: a canvas)", others, DRAW, 1.2),
        row("the same, first stroke of a drawing", firsts, DRAW, None),
        row("end of a stroke to the live ε", others, EXPLORER, None),
    ]


def network_rows(browser: Browser, name: str) -> list[list[str]]:
    """The same of a network beside the perceptron, under FGSM; and what its slider costs."""
    ours, theirs = (
        [replace(site, address=f"/?model={network}") for site in (DRAW, EXPLORER)]
        for network in (name, PERCEPTRON)
    )
    firsts, others = stroke_times(browser, [*ours, *theirs])
    (prediction, live), (its_prediction, its_live) = ours, theirs
    return [
        compared("end of a stroke to the prediction", others[prediction],
                 others[its_prediction], 2),
        compared("the same, first stroke of a drawing", firsts[prediction],
                 firsts[its_prediction], 2),
        compared("end of a stroke to FGSM's live ε", others[live], others[its_live], 3),
        *drag_rows(browser, prediction),
    ]  # fmt: skip


def stroke_times(
    browser: Browser, sites: Sequence[Site]
) -> tuple[dict[Site, float], dict[Site, float]]:
    """Median milliseconds from the end of a stroke to its answer, the sites in turn.

    Returns:
        For each site the time of a drawing's first stroke, and of its others.
    """
    firsts, others = defaultdict[Site, list[float]](list), defaultdict[Site, list[float]](list)
    with ExitStack() as servers:
        urls = [servers.enter_context(server(site)) for site in sites]
        pages = [open_page(browser) for _ in sites]
        for drawing in range(DRAWINGS + 1):
            for site, page, url in zip(sites, pages, urls, strict=True):
                page.bring_to_front()
                page.goto(url + site.address)
                wait_for(site, page)
                # No two drawings the same, or the server would know the answers already.
                strokes = [(start, (x + drawing, y - drawing)) for start, (x, y) in STROKES]
                first, *rest = [stroke_latency(page, site, stroke) for stroke in strokes]
                if drawing > 0:  # the one before that warms all up
                    firsts[site].append(first)
                    others[site] += rest
        for page in pages:
            page.context.close()
    median = statistics.median
    return ({site: median(times) for site, times in firsts.items()},
            {site: median(times) for site, times in others.items()})  # fmt: skip


def stroke_latency(page: Page, site: Site, stroke: Sequence[tuple[int, int]]) -> float:
    """Draw a line; milliseconds from the mouse's release to the first frame with the answer."""
    page.wait_for_timeout(400)  # until the last stroke's rerun is over
    box = page.locator("canvas.upper-canvas").bounding_box()
    assert box is not None
    scale = box["width"] / 280
    (x, y), (to_x, to_y) = ((box["x"] + scale * x, box["y"] + scale * y) for x, y in stroke)
    page.evaluate(WATCH, site.answer)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=8)
    page.mouse.up()
    return float(page.evaluate("window.latency"))


def drag_rows(browser: Browser, site: Site = DRAW) -> list[list[str]]:
    """What it costs to drag the slider over its range."""
    sent: list[object] = []
    scripts, tasks = [], []
    with server(site) as url:
        page = open_page(browser)
        page.on(
            "websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame))
        )
        page.goto(url + site.address)
        wait_for(site, page)
        for stroke in STROKES[:2]:
            stroke_latency(page, site, stroke)
        page.locator("#epsilon").scroll_into_view_if_needed()
        page.locator(".dial output").evaluate(COUNT_FRAMES)
        cdp = page.context.new_cdp_session(page)
        cdp.send("Performance.enable")

        def spent() -> dict[str, float]:
            metrics = cdp.send("Performance.getMetrics")["metrics"]
            return {metric["name"]: metric["value"] for metric in metrics}

        while_dragged, on_release, frames = 0, 0, []
        for forwards in [True, False] * DRAGS:
            page.evaluate("window.drawn = 0")
            already, before = len(sent), spent()
            drag(page, forwards=forwards)
            after = spent()
            while_dragged += (held := len(sent)) - already
            frames.append(int(page.evaluate("window.drawn")))
            scripts.append((after["ScriptDuration"] - before["ScriptDuration"]) / frames[-1])
            tasks.append((after["TaskDuration"] - before["TaskDuration"]) / frames[-1])
            release(page)
            on_release += len(sent) - held

        browser.start_tracing(page=page, categories=["devtools.timeline"])
        for forwards in [True, False] * DRAGS:
            drag(page, forwards=forwards)
            release(page)
        drawing = [
            event["dur"] / 1000
            for event in json.loads(browser.stop_tracing())["traceEvents"]
            if event["name"] == "FireAnimationFrame" and "dur" in event
        ]
        page.context.close()
    script, task = (1000 * statistics.median(seconds) for seconds in (scripts, tasks))
    slowest = statistics.quantiles(drawing, n=20)[-1]
    count = f"{statistics.median(frames):.0f} frames of a drag of {MOVES} moves"
    return [
        [
            f"messages to the server in {2 * DRAGS} drags of the slider, before its release",
            f"{while_dragged} ({on_release} after)",
            *("", "", "0"),
        ],
        [f"script a frame, {count}", f"{script:.2f} ms", "", "", "under 3 ms"],
        ["drawing a frame, 95th percentile", f"{slowest:.2f} ms", "", "", ""],
        ["script, layout and paint a frame", f"{task:.2f} ms", "", "", ""],
    ]


def drag(page: Page, *, forwards: bool) -> None:
    """Drag the slider over its range, and hold it there."""
    box = page.locator("#epsilon").bounding_box()
    assert box is not None
    left, right = box["x"] + THUMB_RADIUS, box["x"] + box["width"] - THUMB_RADIUS
    start, end = (left, right) if forwards else (right, left)
    y = box["y"] + box["height"] / 2
    page.mouse.move(start, y)
    page.mouse.down()
    for move in range(1, MOVES + 1):
        page.mouse.move(start + (end - start) * move / MOVES, y)
        page.wait_for_timeout(20)  # longer than the browser shows a frame
    page.wait_for_timeout(300)


def release(page: Page) -> None:
    """Let go of the slider, and wait until the server has been told."""
    page.mouse.up()
    page.wait_for_timeout(1000)


def compared(name: str, ours: float, bare: float, most: float | None) -> list[str]:
    """A row of milliseconds, ours and the bare page's."""
    target = "" if most is None else f"at most {most}"
    return [name, f"{ours:.0f} ms", f"{bare:.0f} ms", f"{ours / bare:.2f}", target]


if __name__ == "__main__":
    main()
