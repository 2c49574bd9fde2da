"""Find a Chromium for the browser tests, or install one: `python -m tests.browser.chromium`."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.browser.programs import install_package, provide


def find() -> str | None:
    """Return the path of Playwright's own Chromium or of the system's, None without either."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def install() -> None:
    """Try Playwright's download, then the system's package. Both may fail."""
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if find() is None:
        install_package("chromium")


if __name__ == "__main__":
    sys.exit(provide("Chromium", find, install))
