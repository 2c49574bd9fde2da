"""Networks as files for other programs: a PyTorch state dict, and ONNX.

torch and onnx are imported only where they are used: the page that lists networks starts without.
"""

from core.networks.exchange.onnx_file import INPUT, OPSET, OUTPUT, to_onnx
from core.networks.exchange.pytorch_file import loading_lines, to_state_dict

__all__ = ["INPUT", "OPSET", "OUTPUT", "loading_lines", "to_onnx", "to_state_dict"]
