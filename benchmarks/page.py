"""The pages in a real browser, beside the least Streamlit pages that do something of the kind.

Of Draw: how long until it can be used, how long from the end of a stroke to its answer, and what
dragging the slider costs. Of the pages that measure: how long a server that has just been started
takes to show its first figure. `python -m benchmarks.page --first` measures the last of these only.
"""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.measuring import print_machine, print_table
from tests.browser import chromium

ROOT = Path(__file__).parent.parent
STARTS = 7
DRAWINGS = 10
DRAGS = 3  # there and back
MOVES = 100
THUMB_RADIUS = 13
PATIENCE = 60  # seconds; longer than that, and something is broken

# Lines on the canvas, from end to end in its own pixels; each begins on one before, so that all are
# one digit, and has the network see another digit than before.
STROKES = (
    ((200, 140), (140, 60)),
    ((140, 60), (80, 70)),
    ((140, 60), (80, 140)),
    ((140, 60), (200, 220)),
    ((140, 60), (80, 220)),
)


@dataclass(frozen=True)
class Site:
    """A page to measure.

    Attributes:
        script: what `streamlit run` is given.
        parts: selectors of what must be visible before the page can be used.
        answer: a JavaScript expression for what a stroke changes, as a string.
        address: what follows the server's address.
    """

    script: str
    parts: tuple[str, ...]
    answer: str = "''"
    address: str = ""


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
    """Measure and print a table."""
    path = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        first = first_figure_rows(browser)
        draw = []
        if "--first" not in sys.argv:
            draw = [*start_rows(browser), *stroke_rows(browser), *drag_rows(browser)]
        browser.close()
    print_machine()
    if draw:
        print_table(["Draw page", "ours", "bare page", "ratio", "target"], draw)
        print()
    print_table(["First figure", "ours", "bare page with a chart", "ratio", "target"], first)
    print(
        f"\nMedians of {STARTS} starts, {DRAWINGS} drawings of {len(STROKES)} strokes and "
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
    """From the end of a stroke to its answer on the page."""
    sites = (DRAW, EXPLORER, BARE_CANVAS)
    firsts: dict[Site, list[float]] = {site: [] for site in sites}
    others: dict[Site, list[float]] = {site: [] for site in sites}
    with server(DRAW) as ours, server(EXPLORER) as again, server(BARE_CANVAS) as bare:
        pages = [open_page(browser) for _ in sites]
        for drawing in range(DRAWINGS + 1):
            for site, page, url in zip(sites, pages, (ours, again, bare), strict=True):
                page.bring_to_front()
                page.goto(url)
                wait_for(site, page)
                # No two drawings the same, or the server would know the answers already.
                strokes = [(start, (x + drawing, y - drawing)) for start, (x, y) in STROKES]
                first, *rest = [stroke_latency(page, site, stroke) for stroke in strokes]
                if drawing > 0:  # the one before that warms both up
                    firsts[site].append(first)
                    others[site] += rest
        for page in pages:
            page.context.close()

    def row(name: str, times: dict[Site, list[float]], site: Site, most: float | None) -> list[str]:
        median, bare = (statistics.median(times[which]) for which in (site, BARE_CANVAS))
        return compared(name, median, bare, most)

    return [
        row("end of a stroke to the prediction (bare: a canvas)", others, DRAW, 1.2),
        row("the same, first stroke of a drawing", firsts, DRAW, None),
        row("end of a stroke to the live ε", others, EXPLORER, None),
    ]


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


def drag_rows(browser: Browser) -> list[list[str]]:
    """What it costs to drag the slider over its range."""
    sent: list[object] = []
    scripts, tasks = [], []
    with server(DRAW) as url:
        page = open_page(browser)
        page.on(
            "websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame))
        )
        page.goto(url)
        wait_for(DRAW, page)
        for stroke in STROKES[:2]:
            stroke_latency(page, DRAW, stroke)
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


@contextmanager
def server(site: Site) -> Iterator[str]:
    """A page's server, from the start of its process until it answers; ended afterwards."""
    with process_of(site) as (url, _):
        yield url


@contextmanager
def process_of(site: Site) -> Iterator[tuple[str, int]]:
    """The same, with the number of the server's process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", site.script),
            *(f"--server.port={port}", "--logger.level=warning"),
        ],
        cwd=ROOT,
        # As for those who use the app, Python keeps what it compiles: the first turn compiles it.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_healthy(process, port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    """Return as soon as a server answers.

    Raises:
        RuntimeError: it ended, or took too long.
    """
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise RuntimeError("the server did not start")


if __name__ == "__main__":
    main()
