"""Changes of a digit's strokes: hooks, feet and bars that some people write, and other widths.

These loops are compiled, and every processor computes the same bits.
"""

from math import sqrt

import numba as nb
import numpy as np

_SIDE = 28
_compiled = nb.njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def with_hooks(x, y, draws, share):  # type: ignore[no-untyped-def]
    """Return the images with a hook added to some of the 1s and a bar to some of the 7s.

    Half of the 1s with a hook get a foot too. All other images are returned as they are. The
    strokes are as wide as the digit's own.

    Args:
        x: `(N, 784)` float32 pixels in [0, 1].
        y: `(N,)` labels.
        draws: `(6, N)` random numbers in [0, 1): whether there is a hook or a bar, its angle, its
            length, whether there is a foot, and the foot's length to the left and to the right.
        share: how many of the 1s and of the 7s are changed, in [0, 1].
    """
    out = x.copy()
    for n in range(len(x)):
        image = out[n]
        first, last = _rows_of_ink(image)
        if draws[0, n] >= share or y[n] not in (1, 7) or last - first < 8:
            continue
        start = first if y[n] == 1 else (first + last) // 2  # of the stem, or of what is below
        top, bottom = _middle_of_row(image, start), _middle_of_row(image, last)
        length = sqrt((bottom - top) ** 2 + (last - start) ** 2)
        mass = 0.0
        for i in range(start * _SIDE, (last + 1) * _SIDE):
            mass += image[i]
        radius = min(max(mass / length, 1.0), 5.0) / 2
        angle, reach = draws[1, n], draws[2, n]
        if y[n] == 1:
            slope = 0.4 + 0.8 * angle  # how steeply the hook falls from the top to the left
            left = length * (0.2 + 0.45 * reach) / sqrt(1 + slope * slope)
            _draw(image, top, start, top - left, start + slope * left, radius)
            if draws[3, n] < 0.5:
                left = length * (0.1 + 0.25 * draws[4, n])
                right = length * (0.1 + 0.25 * draws[5, n])
                _draw(image, bottom - left, last, bottom + right, last, radius)
        else:
            half = 2 + 4 * reach
            rise = half * 0.8 * (angle - 0.5)
            _draw(image, top - half, start + rise, top + half, start - rise, radius)
    return out


@_compiled
def with_other_widths(x, shares):  # type: ignore[no-untyped-def]
    """Return the images with thicker or thinner strokes.

    This is grey-level dilation or erosion by the four neighbours (Soille 2003, "Morphological Image
    Analysis", chapter 3), mixed with the image itself. Thin strokes fade in an erosion, so the
    image is then brightened until its brightest pixel is as bright as it was.

    Args:
        x: `(N, 784)` float32 pixels in [0, 1]; outside the image everything is black.
        shares: `(N,)`, from -1, eroded, by 0, as it is, to 1, dilated.
    """
    out = np.empty_like(x)
    padded = np.zeros((_SIDE + 2, _SIDE + 2), np.float32)
    for n in range(len(x)):
        for row in range(_SIDE):
            for column in range(_SIDE):
                padded[row + 1, column + 1] = x[n, row * _SIDE + column]
        share = np.float32(abs(shares[n]))
        before, after = np.float32(0), np.float32(0)
        for row in range(_SIDE):
            for column in range(_SIDE):
                here = padded[row + 1, column + 1]
                above, below = padded[row, column + 1], padded[row + 2, column + 1]
                left, right = padded[row + 1, column], padded[row + 1, column + 2]
                if shares[n] > 0:
                    other = max(here, above, below, left, right)
                else:
                    other = min(here, above, below, left, right)
                changed = here + (other - here) * share
                out[n, row * _SIDE + column] = changed
                before, after = max(before, here), max(after, changed)
        if 0 < after < before:
            for i in range(_SIDE * _SIDE):
                out[n, i] = min(out[n, i] * (before / after), before)
    return out


@_compiled
def _rows_of_ink(image):  # type: ignore[no-untyped-def]
    """Return the first and the last row with a pixel of at least half brightness; 0, 0 for none."""
    first, last = -1, 0
    for i in range(_SIDE * _SIDE):
        if image[i] >= 0.5:
            last = i // _SIDE
            if first < 0:
                first = last
    return max(first, 0), last


@_compiled
def _middle_of_row(image, row):  # type: ignore[no-untyped-def]
    """Return the mean column of the ink in a row that holds some."""
    mass, moment = 0.0, 0.0
    for column in range(_SIDE):
        mass += image[row * _SIDE + column]
        moment += image[row * _SIDE + column] * column
    return moment / mass if mass else (_SIDE - 1) / 2


@_compiled
def _draw(image, x0, y0, x1, y1, radius):  # type: ignore[no-untyped-def]
    """Draw a straight white stroke with round ends between two points, anti-aliased."""
    across, down = x1 - x0, y1 - y0
    square = across * across + down * down
    for row in range(_SIDE):
        for column in range(_SIDE):
            u, v = column - x0, row - y0
            along = min(max((u * across + v * down) / square, 0.0), 1.0)
            u, v = u - along * across, v - along * down
            ink = min(max(radius + 0.5 - sqrt(u * u + v * v), 0.0), 1.0)
            i = row * _SIDE + column
            image[i] = max(image[i], np.float32(ink))
