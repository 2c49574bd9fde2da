"""A folder of pictures."""

from pathlib import Path

import pytest

from tests.core.data.in_folders import plain, put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one picture in each set."""
    put(tmp_path / "train data" / "3" / "a.png", plain(3))
    put(tmp_path / "test data" / "4" / "b.png", plain(4))
    return tmp_path
