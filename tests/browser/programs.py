"""Programs that tests need and no Python package brings along: find one, or install it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable


def install_package(name: str) -> None:
    """Try to install a Debian package. That may fail."""
    if shutil.which("apt-get"):
        admin = [] if os.geteuid() == 0 else ["sudo", "-n"]
        for command in (["update"], ["install", "-y", name]):
            subprocess.run([*admin, "apt-get", *command], check=False)


def provide(name: str, find: Callable[[], str | None], install: Callable[[], None]) -> int:
    """Find a program or install it, and say so.

    Args:
        name: what people call it.
        find: returns its path, None without one.
        install: tries to install it.

    Returns:
        A command's status: 1 where there is none in CI, which must run the tests that need it.
    """
    if find() is None:
        print(f"No {name} found for the tests; installing one.")
        install()
    path = find()
    if path is None:
        print(f"No {name} could be installed: tests that need it are left out.", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    print(f"The tests use {path}")
    return 0
