"""Find nginx for the tests of its configuration, or install it: `python -m tests.browser.nginx`."""

import os
import shutil
import subprocess
import sys


def find() -> str | None:
    """Return the path of nginx, None without one. Debian keeps it where only root looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def main() -> int:
    """Find or install one; return 1 where that fails in CI, which must run its tests."""
    if find() is None and shutil.which("apt-get"):
        print("No nginx found for the tests of its configuration; installing one.")
        admin = [] if os.geteuid() == 0 else ["sudo", "-n"]
        subprocess.run([*admin, "apt-get", "update"], check=False)
        # Without a service: the tests start their own.
        subprocess.run([*admin, "apt-get", "install", "-y", "nginx-light"], check=False)
    path = find()
    if path is None:
        print("Without nginx, the tests of its configuration are left out.", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    print(f"Tests of the configuration use {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
