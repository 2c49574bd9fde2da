"""A file of another program is read once for all who bring it, and few at a time."""

from collections.abc import Callable

import pytest
import safetensors.torch
import torch

from core.data.mnist import Digits
from core.networks import MLP, NetworkFileError
from core.serving.imports import BusyError, Imports
from tests.core.networks.foreign.samples import sequential


@pytest.fixture
def content(report_network: MLP) -> bytes:
    """The shipped network as another program saves it."""
    return bytes(safetensors.torch.save(sequential(report_network).state_dict()))


def test_a_file_is_read_once(content: bytes, few: Callable[[str], Digits]) -> None:
    imports = Imports(few)
    first = imports.read(content, "mine")
    assert first.choices[0].pixels == "raw" and first.found.program == "safetensors"
    assert imports.read(bytes(content), "mine") is first
    card = imports.card(first, first.choices[0], today="2026-11-26")
    assert card.test_accuracy > 0.95 and card.measured_on is None


def test_a_file_that_is_refused_is_named_as_its_owner_names_it(
    few: Callable[[str], Digits],
) -> None:
    imports = Imports(few)
    content = safetensors.torch.save({"w": torch.ones(3, 3)})
    for name in ("mine", "yours"):
        with pytest.raises(NetworkFileError, match=f"^{name} can't be used"):
            imports.read(content, name)


def test_a_turn_that_does_not_come_is_one_sentence(
    content: bytes, few: Callable[[str], Digits]
) -> None:
    imports = Imports(few, seconds=0)
    for _ in range(2):
        assert imports._turns.acquire(blocking=False)
    with pytest.raises(BusyError):
        imports.read(content, "mine")
    imports._turns.release()
    assert imports.read(content, "mine").choices
