"""What kind of file it is, by its first bytes and by what an archive lists."""

import io
import json
import zipfile
from collections.abc import Sequence

from core.networks.file import LAYOUTS, MAX_BYTES

PYTORCH, SAFETENSORS, ONNX = "PyTorch", "safetensors", "ONNX"
SUFFIXES = (".safetensors", ".pt", ".pth", ".onnx")
OTHER = "it is no file of PyTorch, safetensors or ONNX, or it was cut short"
# The first bytes of what torch.save wrote before version 1.6: a number of its own, pickled.
_OLD_PYTORCH = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
_MOST_HEADER = 3 * 2**20  # bytes; see `core.networks.file`
_MOST_ENTRIES = 5000  # of an archive
_KERAS = (
    "it is a Keras file; write it as ONNX, with tf2onnx.convert.from_keras(model, "
    'output_path="mine.onnx"), and bring that'
)


def is_ours(content: bytes) -> bool:
    """Return whether this program, or a later version of it, has saved a file."""
    header = _safetensors_header(content)
    about = header.get("__metadata__") if header else None
    return isinstance(about, dict) and about.get("format") in LAYOUTS and "card" in about


def kind_of(content: bytes) -> str:
    """Return what wrote a file: `PYTORCH`, `SAFETENSORS` or `ONNX`.

    Raises:
        ValueError: it can't be read; the message says what it is and what to do instead.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(too_large(len(content)))
    if not content:
        raise ValueError("it is empty")
    if content.startswith(b"PK\x03\x04"):
        return _kind_of_archive(content)
    if content.startswith(_OLD_PYTORCH):
        return PYTORCH
    if content[0] == 0x80 and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise ValueError(
            "it is a pickle, and to load that would run code of the file; save the weights alone, "
            "with torch.save(model.state_dict(), …)"
        )
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ValueError(_KERAS)
    if content[4:8] == b"TFL3":
        raise ValueError("it is a TensorFlow Lite file; bring the network as ONNX")
    if _safetensors_header(content) is not None:
        return SAFETENSORS
    if content[0] == 0x08:  # ONNX has no mark; this is its first field, the format's version
        return ONNX
    raise ValueError(_on_text(content[:1000]) or OTHER)


def too_large(size: int) -> str:
    """Say that a file is too large."""
    return (
        f"it has {size / 2**20:,.0f} MB, more than {MAX_BYTES // 2**20}; save the weights alone, "
        "without the optimiser's state, or in float16"
    )


def _safetensors_header(content: bytes) -> dict[str, object] | None:
    size = int.from_bytes(content[:8], "little")
    if size > min(len(content) - 8, _MOST_HEADER) or content[8:9] != b"{":
        return None
    try:
        header = json.loads(content[8 : 8 + size])
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _on_text(start: bytes) -> str:
    """Say that a file is a text; "" if it is none."""
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # not the last letter, cut in the middle
            return ""
        text = start[: error.start].decode("utf-8")
    if not all(each.isprintable() or each in "\n\r\t" for each in text):
        return ""
    return (
        "it is a text, not a network; save the weights with torch.save(model.state_dict(), "
        '"mine.pt") and bring that file'
    )


def _kind_of_archive(content: bytes) -> str:
    """Return the kind of a zip archive, by the names in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise ValueError("it is a damaged archive, or it was cut short") from None
    names = [entry.filename for entry in entries]
    if len(names) > _MOST_ENTRIES:
        raise ValueError(f"it is an archive of {len(names):,} files")
    if any(name in ("model.weights.h5", "config.json") for name in names):
        raise ValueError(_KERAS)
    if names and all(name.endswith(".npy") for name in names):
        raise ValueError(
            "it is a NumPy archive; write the arrays with safetensors.numpy.save_file and bring "
            "that file"
        )
    if not _has(names, "data.pkl"):
        raise ValueError("it is an archive of other files; bring the network's own file")
    if _has(names, "constants.pkl") or any("/code/" in name for name in names):
        raise ValueError(
            "it is TorchScript, which holds code; save the weights alone, with "
            "torch.save(model.state_dict(), …)"
        )
    if sum(entry.file_size for entry in entries) > len(content):  # torch.save compresses nothing
        raise ValueError("its archive is compressed, which torch.save never does")
    return PYTORCH


def _has(names: Sequence[str], last: str) -> bool:
    return any(name.rpartition("/")[2] == last for name in names)
