"""An import of torchvision's data sets that works without its compiled operators.

The wheel of torchvision on the package index is built for CUDA. With a torch without CUDA its
import fails with "operator torchvision::nms does not exist", although its data sets don't need that
operator. The import succeeds once the two operators that it looks up are declared.
"""

from types import ModuleType


def torchvision_datasets() -> ModuleType:
    """Return the module `torchvision.datasets`."""
    import sys

    import torch

    try:
        from torchvision import datasets
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # imported by half
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import datasets
    return datasets  # type: ignore[no-any-return]
