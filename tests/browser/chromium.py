"""Find a Chromium for the browser tests, or install one: `python -m tests.browser.chromium`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


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
    if find() is None and shutil.which("apt-get"):
        admin = [] if os.geteuid() == 0 else ["sudo", "-n"]
        subprocess.run([*admin, "apt-get", "update"], check=False)
        subprocess.run([*admin, "apt-get", "install", "-y", "chromium"], check=False)


def main() -> int:
    """Find or install one; return 1 where that fails in CI, which must run the browser tests."""
    if find() is None:
        print("No Chromium found for the browser tests; installing one.")
        install()
    path = find()
    if path is None:
        print("No Chromium could be installed: the browser tests can't run.", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    print(f"Browser tests use {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
