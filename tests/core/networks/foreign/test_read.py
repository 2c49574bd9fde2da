"""A file of any kind is recognised, read in a process with limits, or refused in one sentence."""

import io
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

from core.networks import NetworkFileError, Sequential
from core.networks.file import MAX_BYTES, to_bytes
from core.networks.foreign import child, is_ours, pytorch_file, read, read_file
from core.networks.foreign.found import Found, Reading, from_bytes
from core.networks.foreign.found import to_bytes as found_to_bytes
from tests.conftest import SHIPPED
from tests.core.networks.foreign.samples import Node, archive, graph, saved, sequential
from tests.core.networks.lenet import lenet, torch_lenet
from tests.core.networks.samples import CARD, ENSEMBLE, IMPORTED, NETWORK, assert_same

STATE = sequential(NETWORK).state_dict()
LOGITS = graph(
    ("Gemm", ["x", "w", "b"], "logits", {}), w=np.ones((784, 10), np.float32), b=np.ones(10, "f4")
)


class Hostile:
    """What leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Have the unpickler make a folder."""
        return os.mkdir, (str(self.trace),)


def torch_script() -> bytes:
    """Return a TorchScript archive, as far as its list of files goes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in ("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"):
            made.writestr(name, b"")
    return buffer.getvalue()


def test_a_pytorch_file_is_read_in_a_process_of_its_own() -> None:
    found = read(saved({"model": STATE}), "mine.pt")
    assert (found.program, found.readings[0].how) == ("PyTorch", "under the key 'model', ReLU")
    assert_same(found.readings[0].network, NETWORK)
    assert found.readings[0].network.logits(np.ones((1, 784), np.float32)).shape == (1, 10)


def test_an_onnx_file_is_read_in_a_process_of_its_own() -> None:
    found = read(LOGITS, "mine.onnx")
    assert (found.program, found.sure) == ("ONNX", True)
    assert found.readings[0].network.sizes == (784, 10)


def test_code_in_a_pickle_is_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(NetworkFileError, match="Python object.*would run code"):
        read(saved({**STATE, "w": Hostile(trace)}), "bad.pt")
    for thing in ({"w": Hostile(trace)}, Hostile(trace), {**STATE, "w": Hostile(trace)}):
        for content in (saved(thing), saved(thing, _use_new_zipfile_serialization=False)):
            with pytest.raises(ValueError, match="Python object.*would run code"):
                pytorch_file.read(content)
        with pytest.raises(NetworkFileError, match="a pickle"):
            read(pickle.dumps(thing), "bad.pkl")
        assert not trace.exists()
    os.mkdir(trace)  # what would have happened can be seen
    with pytest.raises(FileExistsError):
        pickle.loads(pickle.dumps(Hostile(trace)))


BY_A_PROCESS = {
    "a whole module": (saved(nn.Linear(784, 10)), "state_dict"),
    "a file of torch, cut": (saved(STATE)[:20_000], "damaged|cut short"),
    "a file of ONNX, cut": (LOGITS[:20_000], "cut short"),
    "another thing of torch": (saved("just words"), "no state dict"),
    "tensors of a GRU": (saved(nn.GRU(28, 32).state_dict()), "recurrent"),
    "a tensor that claims much": (
        saved({"w": torch.zeros(1).expand(100_000, 100_000)}), "10,000,000,000 numbers"
    ),
}  # fmt: skip
REFUSED = {
    "TorchScript": (torch_script(), "TorchScript.*state_dict"),
    "Keras": (archive(config__json=b"{}", model__weights__h5=b""), "Keras.*tf2onnx"),
    "Keras's older format": (b"\x89HDF\r\n\x1a\n" + bytes(1000), "Keras.*tf2onnx"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(100), "TensorFlow Lite.*ONNX"),
    "NumPy's archive": (archive(W1__npy=b"", b1__npy=b""), "NumPy.*safetensors"),
    "another archive": (archive(readme__txt=b"hello"), "archive of other files"),
    "a damaged archive": (b"PK\x03\x04" + bytes(100), "damaged"),
    "a bomb": (archive(**{"data__pkl": bytes(30_000_000)}), "compressed"),
    "text": ("def forward(x): return x  # ü\n".encode() * 100, "a text.*state_dict"),
    "nothing": (b"", "empty"),
    "noise": (bytes(range(255, 128, -1)), "no file of PyTorch, safetensors or ONNX"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "no file of"),
    "200 MB": (bytes(200 * 2**20), "200 MB, more than 40; save the weights alone"),
    "an odd dtype": (
        safetensors.numpy.save({"w": np.zeros((10, 784), np.int8)}), "I8.*float32"
    ),
    "a damaged safetensors file": (
        safetensors.numpy.save({"w": np.zeros((10, 784))})[:-8], "damaged"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_in_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(
        NetworkFileError, match=rf"^strange can't be used: .*({said}).*\.$"
    ) as caught:
        read(content, "strange")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.thorough
@pytest.mark.parametrize(("content", "said"), BY_A_PROCESS.values(), ids=BY_A_PROCESS)
def test_what_torch_and_onnx_refuse_is_said_in_a_sentence_too(content: bytes, said: str) -> None:
    test_everything_else_is_refused_in_a_sentence(content, said)


def test_reading_ends_when_it_takes_too_long() -> None:
    with pytest.raises(ValueError, match="took more than 0 seconds"):
        child.read(saved(STATE), "PyTorch", seconds=0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="measured on Linux alone")
def test_reading_ends_when_it_takes_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph whose constants grow beyond the limit from a small file."""
    side = 2500
    growing: list[Node] = [("Add", ["row", "column"], "h0", {})]
    growing += [("Add", [f"h{n}", "row"], f"h{n + 1}", {}) for n in range(40)]
    content = graph(
        *growing,
        ("MatMul", ["x", "h40"], "logits", {}),
        row=np.ones((1, side), np.float32),
        column=np.ones((side, 1), np.float32),
    )
    with pytest.raises(ValueError, match="too much memory"):
        child.read(content, "ONNX")


def test_our_own_files_are_told_from_others() -> None:
    for network, card in ((NETWORK, CARD), (ENSEMBLE, CARD), (NETWORK, IMPORTED)):
        assert is_ours(to_bytes(network, card))
    assert is_ours(SHIPPED.path("report").read_bytes())
    for content in (b"", saved(STATE), LOGITS, safetensors.numpy.save({"w": np.zeros(3)})):
        assert not is_ours(content)


def test_what_the_process_answers_is_what_it_found() -> None:
    other, layers = Reading(ENSEMBLE.members[1], "another"), Reading(lenet(), "convolutions")
    found = Found("ONNX", (Reading(NETWORK), other), ("Softmax",), sure=True, others=(layers,))
    content = found_to_bytes(found)
    again = from_bytes(content)
    assert (again.program, again.left_out, again.sure) == ("ONNX", ("Softmax",), True)
    for ours, theirs in zip(again.readings, found.readings, strict=True):
        assert ours.how == theirs.how
        assert_same(ours.network, theirs.network)
    (network,) = (reading.network for reading in again.others)
    assert isinstance(network, Sequential) and network.outline == lenet().outline
    for one, another in zip(network.arrays, lenet().arrays, strict=True):
        np.testing.assert_array_equal(one, another)


def test_readings_share_their_weights() -> None:
    content = saved(torch_lenet(lenet()).state_dict())
    found = read(content, "lenet.pt")
    assert len(found.readings) > 5
    assert len(found_to_bytes(found)) < 2 * len(content)
    largest = {
        id(max(reading.network.arrays, key=lambda array: array.size)) for reading in found.readings
    }
    assert len(largest) == 1


def test_missing_and_enormous_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError, match="no such file"):
        read_file(tmp_path / "nothing.pt")
    with pytest.raises(NetworkFileError, match="can't be read"):
        read_file(tmp_path)
    with (tmp_path / "large.pt").open("wb") as file:
        file.truncate(MAX_BYTES + 2**20)
    with pytest.raises(NetworkFileError, match="41 MB, more than 40"):
        read_file(tmp_path / "large.pt")
