"""Find nginx for the tests of its configuration, or install it: `python -m tests.browser.nginx`."""

import os
import shutil
import sys
from functools import partial

from tests.browser.programs import install_package, provide


def find() -> str | None:
    """Return the path of nginx, None without one. Debian keeps it where only root looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


if __name__ == "__main__":
    # Without a service: the tests start their own.
    sys.exit(provide("nginx", find, partial(install_package, "nginx-light")))
