"""Take the README's screenshot and animation, and draw the app's icon: `python -m docs.pictures`.

A real browser draws a 7 on the running app and turns up ε. The icon is MNIST's first test digit. It
is a picture because Streamlit takes long to show an emoji.
"""

import io
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Page, expect, sync_playwright

from core.data import mnist
from tests.browser import chromium
from tests.browser.conftest import serve
from tests.browser.draw_page import draw, expect_seen, open_draw, position, settle, slider

FOLDER = Path(__file__).parent
ICON = FOLDER.parent / "pages" / "icon.png"
SEVEN = [(70, 75), (205, 65), (190, 100), (125, 225)]


def main() -> None:
    """Write draw.png and flip.gif beside this file, and the icon."""
    write_icon(ICON)
    path = chromium.find()
    with serve() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        open_draw(page, url)
        draw(page, SEVEN)
        expect_seen(page, 7)
        page.mouse.move(*position(page, 0))
        page.mouse.down()
        frames = [shot(page, index) for index in [0] * 6 + list(range(0, 41)) + [40] * 10]
        page.mouse.up()
        page.mouse.move(640, 30)
        slider(page).blur()
        settle(page)
        page.screenshot(path=FOLDER / "draw.png")
        browser.close()
    write_animation(frames, FOLDER / "flip.gif")
    for name in ("draw.png", "flip.gif"):
        print(f"docs/{name}: {(FOLDER / name).stat().st_size / 1e6:.2f} MB")


def shot(page: Page, index: int) -> Image.Image:
    """Return a picture of the page with the slider at its index-th position."""
    page.mouse.move(*position(page, index))
    expect(page.locator("output")).to_have_text(f"{index / 200:.3f}")
    return Image.open(io.BytesIO(page.screenshot()))


def write_icon(path: Path) -> None:
    """Write the icon, a white 7 on blue, 64 × 64."""
    seven = Image.fromarray((mnist.load("test").x[0].reshape(28, 28) * 255).astype("uint8"))
    large = seven.crop((4, 5, 24, 29)).resize((53, 64), Image.Resampling.LANCZOS)
    square = ImageOps.pad(large, (64, 64))
    ImageOps.colorize(square, "#0b4f8a", "#ffffff").save(path, optimize=True)


def write_animation(frames: list[Image.Image], path: Path) -> None:
    """Write the frames as a GIF of half their size, with one palette for all of them."""
    small = [frame.convert("RGB").resize((800, 538), Image.Resampling.LANCZOS) for frame in frames]
    palette = small[-1].quantize(96)
    first, *rest = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    first.save(path, save_all=True, append_images=rest, duration=90, loop=0, optimize=True)


if __name__ == "__main__":
    main()
