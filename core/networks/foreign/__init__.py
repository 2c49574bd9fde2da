"""Networks that other programs have saved: PyTorch state dicts, safetensors and ONNX files.

A file is recognised by its content. Nothing in it is ever executed. torch and onnx read in a child
process with limits of time and memory. What they read is one or several networks: a state dict has
a network's weights, but not its padding, pooling or activations. Which one is meant, and how its
pixels are to be read, their accuracies tell (`core.evaluation.imported`).
"""

from core.networks.foreign.found import Found, Reading
from core.networks.foreign.kinds import SUFFIXES, is_ours
from core.networks.foreign.pixels import PIXELS, Pixels
from core.networks.foreign.read import read, read_file

__all__ = ["PIXELS", "SUFFIXES", "Found", "Pixels", "Reading", "is_ours", "read", "read_file"]
