"""The lines in docs/bring-your-network.md write files that are read here."""

import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.classifier import FloatArray
from core.data.mnist import Digits
from core.evaluation.imported import choices
from core.losses import softmax
from core.networks import MLP, Single
from core.networks.foreign import SUFFIXES, Found, read
from tests.core.networks.foreign.fitted import convolutional
from tests.core.networks.foreign.samples import sequential
from tests.core.networks.samples import assert_same

DOCUMENT = Path(__file__).parent.parent / "docs/bring-your-network.md"
SECTIONS = dict(re.findall(r"^## (.+?)$(.+?)(?=^## |\Z)", DOCUMENT.read_text("utf-8"), re.M | re.S))


def blocks(section: str) -> list[str]:
    """Return a section's blocks of Python."""
    return re.findall(r"```python\n(.+?)```", SECTIONS[section], re.DOTALL)


def written_by(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **names: Any) -> Found:
    """Run lines of the document in an empty folder, and read the file that they write."""
    monkeypatch.chdir(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other packages' own, and a file that is left open
        exec(code, names)
    (file,) = folder.iterdir()
    return read(file.read_bytes(), file.name)


def test_every_block_is_three_lines_of_python() -> None:
    found = [block for section in SECTIONS for block in blocks(section)]
    assert len(found) == 5
    for block in found:
        compile(block, "block", "exec")
        assert len(list(filter(None, block.splitlines()))) <= 3
    assert {suffix for suffix in SUFFIXES if f'"mine{suffix}"' in " ".join(found)} == {
        ".pt",
        ".onnx",
        ".safetensors",
    }


@pytest.mark.parametrize("number", [0, 1])
def test_pytorch(
    number: int, report_network: MLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = blocks("PyTorch")[number]
    found = written_by(code, tmp_path, monkeypatch, model=sequential(report_network))
    assert_same(found.readings[0].network, report_network)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [0, 1])
def test_a_convolutional_network_of_pytorch(
    number: int,
    training_digits: Digits,
    test_digits: Digits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = convolutional(training_digits)
    found = written_by(blocks("PyTorch")[number], tmp_path, monkeypatch, model=model)
    best, *_ = choices(found, training_digits, test_digits, "mine")
    check_convolutional(best.network, model, test_digits)


def test_onnx_of_pytorch(
    training_digits: Digits, test_digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line asks for the exporter that is PyTorch's default; the older one runs here."""
    model = convolutional(training_digits)
    export = partial(torch.onnx.export, dynamo=False)
    monkeypatch.setattr(torch.onnx, "export", export)
    (code,) = blocks("What a state dict doesn't say")
    images = torch.zeros(2, 1, 28, 28)
    found = written_by(code, tmp_path, monkeypatch, model=model, images=images)
    assert found.sure and len(found.readings) == 1
    check_convolutional(found.readings[0].network, model, test_digits)


def check_convolutional(network: Single, model: torch.nn.Module, digits: Digits) -> None:
    """Fail unless a network is the model."""
    x = digits.x[:100]
    with torch.no_grad():
        expected = model(torch.tensor(x).view(-1, 1, 28, 28)).numpy()
    np.testing.assert_allclose(
        network.logits(x), expected, rtol=0, atol=1e-4 * np.abs(expected).max()
    )


def probabilities(found: Found, x: FloatArray) -> FloatArray:
    return softmax(found.readings[0].network.logits(x))


@pytest.mark.parametrize("pipeline", [False, True])
def test_scikit_learn(
    pipeline: bool,
    training_digits: Digits,
    test_digits: Digits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    factor = 255 if pipeline else 1
    x, y = factor * training_digits.x[:4000], training_digits.y[:4000]
    model = MLPClassifier((64,), max_iter=12, random_state=0)
    if pipeline:
        model = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few epochs don't converge
        model.fit(x, y)
    (code,) = blocks("scikit-learn")
    found = written_by(code, tmp_path, monkeypatch, model=model, images=x)
    assert (found.program, found.sure, found.left_out) == ("ONNX", True, ("Softmax",))
    tested = factor * test_digits.x[:1000]
    np.testing.assert_allclose(
        probabilities(found, tested), model.predict_proba(tested), rtol=0, atol=1e-4
    )
    best, *_ = choices(found, training_digits, test_digits, "mine.onnx")
    assert best.pixels == ("255" if pipeline else "raw") and best.accuracy > 0.9


def test_what_the_document_calls_code_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(784, 10), tmp_path / "mine.pt")
    with pytest.raises(ValueError, match="state_dict"):
        read((tmp_path / "mine.pt").read_bytes(), "mine.pt")
