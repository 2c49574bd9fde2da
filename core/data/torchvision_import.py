"""Import torchvision's data sets also where its compiled operators are missing.

The wheel of torchvision on the package index is built for CUDA. Beside a torch without CUDA its
import stops at "operator torchvision::nms does not exist", although neither its data sets nor its
transforms need that operator. Declaring the two operators that its import asks for lets it pass.
"""

from types import ModuleType


def torchvision_datasets() -> ModuleType:
    """The module `torchvision.datasets`."""
    import torch

    try:
        from torchvision import datasets
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _forget_half_imported()
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import datasets
    return datasets  # type: ignore[no-any-return]


def _forget_half_imported() -> None:
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
