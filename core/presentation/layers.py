"""A network's layers in words."""

from collections.abc import Sequence

from core.networks import Network, Sequential, Single
from core.networks.layers import Activation, Convolution

_NAMES = {"relu": "ReLU"}  # of activations; the others are called what they are


def on_layers(network: Network) -> str:
    """Return a network's layers.

    The course report's are 784-128-64-10. LeNet-5's are "convolutions of 6 and 16 channels, then
    120-84-10".
    """
    members = network.members
    each = "; ".join(dict.fromkeys(map(_layers, members)))
    return f"{len(members)} networks, {each}" if len(members) > 1 else each


def on_activations(network: Network) -> str:
    """Return what follows the hidden layers' sums, such as ReLU; "no activation" without any."""
    found: dict[str, None] = {}
    for member in network.members:
        if isinstance(member, Sequential):
            own = (layer.function for layer in member.layers if isinstance(layer, Activation))
            found |= dict.fromkeys(_NAMES.get(function, function) for function in own)
        elif len(member.sizes) > 2:
            found |= {"ReLU": None}
    return _listed(list(found)) or "no activation"


def _layers(member: Single) -> str:
    layers = member.layers if isinstance(member, Sequential) else ()
    channels = [len(layer.bias) for layer in layers if isinstance(layer, Convolution)]
    if not channels:
        return _dashed(member.sizes)
    what = "convolutions" if len(channels) > 1 else "a convolution"
    units = _dashed(member.sizes[1 + len(channels) :])
    return f"{what} of {_listed(channels)} channels, then {units}"


def _dashed(sizes: Sequence[int]) -> str:
    return "-".join(map(str, sizes))


def _listed(values: Sequence[object]) -> str:
    """Return values as a list within a sentence: 6, 16 and 32."""
    *first, last = [str(value) for value in values] or [""]
    return f"{', '.join(first)} and {last}" if first else last
