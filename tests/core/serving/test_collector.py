"""What the garbage collector leaves out. It is the whole process's, so each test has its own."""

import subprocess
import sys


def test_what_lives_is_left_out_once_and_what_comes_later_is_collected() -> None:
    code = (
        "import gc; from core.serving import collector; collector.settle(); "
        "kept = gc.get_freeze_count(); assert kept > 1000; "
        "later = [[] for _ in range(100)]; collector.settle(); "
        "assert gc.get_freeze_count() <= kept; "
        "later.append(later); del later; assert gc.collect() >= 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
