"""What no attack can do: bounds of a network's logits over all images within ε of one.

`certified` and `certified_epsilon` say which images are proved safe, `margins` by how much.
`refine` proves more of one image, the longer one waits. They take the layers of a network or of an
ensemble's members, not the `Classifier` protocol.
"""

from core.bounds.branch import Proof, refine
from core.bounds.certify import METHODS, RESOLUTIONS, certified, certified_epsilon, margins

__all__ = [
    "METHODS",
    "RESOLUTIONS",
    "Proof",
    "certified",
    "certified_epsilon",
    "margins",
    "refine",
]
