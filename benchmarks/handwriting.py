"""What people draw and photograph: accuracy before and after the preparation was rebuilt.

Code writes MNIST's first test digits again under each condition, as picture files or canvas pixels,
seeded. Conditions of a pen or a brush draw the middle lines of the digit's strokes with it; all
others enlarge the writer's own ink. The whole path reads them: picture, drawing, 28 × 28 pixels,
network. A picture in which no digit is found counts as misread. "Before" is the preparation in
`bare/preparation.py`. "Points lost" compares "after" with the digits as they are.
"""

import argparse
import multiprocessing
from collections.abc import Mapping

import numpy as np

from benchmarks.bare import preparation
from benchmarks.conditions import CONDITIONS
from benchmarks.measuring import print_machine, print_table
from benchmarks.strokes import Handwriting
from core import measures
from core.classifier import Classifier, FloatArray
from core.data import drawing, mnist, pictures
from core.networks import LIBRARY

DIGITS = 1000
GOAL = 2.0  # points lost at most

# For each condition, in their order, the image before and after; None where no digit is found.
Seen = list[tuple[FloatArray | None, FloatArray | None]]


def main() -> None:
    """Measure and print a table with a row for each condition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--digits", type=int, default=DIGITS, metavar="N", help="the first N digits"
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="conditions with this in the name"
    )
    arguments = parser.parse_args()
    names = [name for name in CONDITIONS if arguments.only in name]
    test = mnist.load("test")
    x, y = test.x[: arguments.digits], test.y[: arguments.digits]
    with multiprocessing.get_context("spawn").Pool() as pool:
        jobs = [(index, image, names) for index, image in enumerate(x.reshape(-1, 28, 28))]
        seen = pool.starmap(seen_as, jobs, chunksize=5)
    report = LIBRARY.load("report")[0]
    others = {"any-hand": LIBRARY.load("any-hand")[0]} if "any-hand" in LIBRARY.names() else {}
    clean = 100 * measures.accuracy(report, x, y)
    rows = [["as they are", f"{clean:.1f} %", f"{clean:.1f} %", "0", *_clean(others, x, y), ""]]
    for place, name in enumerate(names):
        before, after = zip(*(each[place] for each in seen), strict=True)
        lost = clean - percent_right(report, after, y)
        rows.append(
            [
                name,
                f"{percent_right(report, before, y):.1f} %",
                f"{clean - lost:.1f} %",
                f"{lost:.1f}",
                *(f"{percent_right(other, after, y):.1f} %" for other in others.values()),
                "yes" if lost <= GOAL else "no",
            ]
        )
    print_machine()
    columns = [f"after, *{name}*" for name in others]
    print_table(
        ["condition", "before", "after", "points lost", *columns, f"at most {GOAL:g}"], rows
    )
    print(
        f"\nThe first {len(x):,} test digits; the report's network unless a column says otherwise."
    )


def seen_as(index: int, image: FloatArray, names: list[str]) -> Seen:
    """Return what the network gets to see of a test digit under each condition."""
    import cv2

    cv2.setNumThreads(1)
    digit = Handwriting(image)
    out: Seen = []
    for name in names:
        random = np.random.default_rng([index, list(CONDITIONS).index(name)])
        made = CONDITIONS[name](digit, random)
        out.append((_before(made), _after(made)))
    return out


def _before(made: bytes | np.ndarray) -> FloatArray | None:
    try:
        rgba = preparation.read(made) if isinstance(made, bytes) else made
        return preparation.to_mnist(rgba).reshape(784)
    except ValueError:
        return None


def _after(made: bytes | np.ndarray) -> FloatArray | None:
    try:
        rgba = pictures.decode(made) if isinstance(made, bytes) else made
        x: FloatArray = drawing.to_mnist(rgba).x[0]
    except (pictures.PictureError, drawing.EmptyDrawingError):
        return None
    return x


def percent_right(
    network: Classifier, images: tuple[FloatArray | None, ...], y: np.ndarray
) -> float:
    """Return for how many percent of the images the network says `y`; None is misread."""
    found = np.array([image is not None for image in images])
    if not found.any():
        return 0.0
    x = np.stack([image for image in images if image is not None])
    return float(100 * found.mean() * measures.accuracy(network, x, y[found]))


def _clean(networks: Mapping[str, Classifier], x: FloatArray, y: np.ndarray) -> list[str]:
    return [f"{100 * measures.accuracy(network, x, y):.1f} %" for network in networks.values()]


if __name__ == "__main__":
    main()
