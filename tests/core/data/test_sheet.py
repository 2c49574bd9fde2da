import numpy as np
import pytest
from PIL import Image

from core.data import pictures
from core.data.sheet import innermost_sheet
from tests.core.data import handmade


def in_colour(brightness: np.ndarray, side: int = 500) -> np.ndarray:
    grey = Image.fromarray((np.clip(brightness, 0, 1) * 255).astype(np.uint8))
    small = np.asarray(grey.resize((side, side), Image.Resampling.BOX))
    return np.dstack([small, small, small])


def everywhere(picture: np.ndarray) -> np.ndarray:
    return np.ones(picture.shape[:2], bool)


# Where the lines lie between pixels decides which of them are strong in a shrunk picture.
@pytest.mark.parametrize(
    ("start", "grey"), [(50, 0.66), (54, 0.66), (58, 0.66), (18, 0.7), (32, 0.7), (20, 0.75)]
)
def test_lines_of_squared_paper_are_no_edge_of_a_sheet(start: int, grey: float) -> None:
    ink = handmade.pen(handmade.SHAPES["3"], 54, side=1000, scale=0.5)
    light = np.full((1000, 1000), 0.93)
    for line in range(start, 1000, 50):
        light[line : line + 3] = light[:, line : line + 3] = grey
    page = handmade.blurred(light * (1 - ink) + 0.12 * ink, 0.7)
    picture = pictures.decode(handmade.jpeg(page, 85))[..., :3]
    assert innermost_sheet(picture, everywhere(picture)).all()


@pytest.mark.parametrize("desk", [0.0, 0.25, 0.6])
def test_a_sheet_on_a_desk_is_found_to_the_pixel_or_a_little_less(desk: float) -> None:
    page = handmade.paper(handmade.pen(handmade.SHAPES["8"], 32))
    picture = in_colour(handmade.on_a_desk(page, desk, (160, 80, 720, 640)))
    found = innermost_sheet(picture, everywhere(picture))
    true = np.zeros_like(found)
    true[50:400, 100:450] = True
    assert not (found & ~true).any()
    assert found.sum() > 0.9 * true.sum()
