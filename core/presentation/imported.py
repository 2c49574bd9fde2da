"""In words: what was found in a file that another program wrote."""

from core.evaluation.imported import TRIED, Choice
from core.networks import Single
from core.networks.foreign import PIXELS, Found
from core.networks.layers import Activation, Affine, Convolution
from core.networks.sequential import Sequential
from core.presentation.words import percent


def on_found(found: Found, choice: Choice) -> str:
    """Say what a file holds, and how well the network does if it is read by a choice."""
    network, how = choice.reading.network, choice.reading.how
    functions = _functions(network) if found.sure else []
    with_them = f" with {' and '.join(functions)}" if functions else ""
    said = [
        f"A {found.program} file: {on_layers(network)}{with_them}, "
        f"{network.parameter_count:,} parameters."
    ]
    if found.left_out:
        said.append(
            f"{' and '.join(found.left_out)} at the end is left out: attacks need the logits."
        )
    if how:
        said.append(f"Read as: {how}.")
    said.append(
        f"With pixels as {PIXELS[choice.pixels].words}, it classifies "
        f"{percent(choice.accuracy)} of {TRIED:,} training images correctly."
    )
    if not found.sure:
        said.append(
            "The file holds weights only, the rest was tried. If your own program measures a "
            "higher accuracy, it does something else between the layers, or to its pixels."
        )
    return " ".join(said)


def on_layers(network: Single) -> str:
    """Say which layers with weights a network has."""
    if not isinstance(network, Sequential):
        return "-".join(map(str, network.sizes))
    windows = [
        f"{len(layer.weight)} of {layer.weight.shape[2]} × {layer.weight.shape[3]}"
        for layer in network.layers
        if isinstance(layer, Convolution)
    ]
    affine = [layer.weight for layer in network.layers if isinstance(layer, Affine)]
    sizes = [len(affine[0]), *(weight.shape[1] for weight in affine)] if affine else []
    said = [f"convolution{'s' if len(windows) > 1 else ''} ({', '.join(windows)})"] * bool(windows)
    return ", ".join([*said, "-".join(map(str, sizes))])


def _functions(network: Single) -> list[str]:
    """Return the activations of a network of layers, in their order."""
    layers = network.layers if isinstance(network, Sequential) else ()
    names = [layer.function for layer in layers if isinstance(layer, Activation)]
    return ["ReLU" if name == "relu" else name for name in dict.fromkeys(names)]


def on_choice(choice: Choice) -> str:
    """Say how pixels are read, with the accuracy then."""
    return f"{PIXELS[choice.pixels].words}: {percent(choice.accuracy)}"


def on_reading(choice: Choice) -> str:
    """Say how layers are read, with the accuracy then."""
    how = choice.reading.how or "as the file has them"
    return f"{percent(choice.accuracy)}: {how}"
