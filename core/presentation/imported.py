"""In words: what was found in a file that another program wrote."""

from core.evaluation.imported import TRIED, Choice
from core.networks.foreign import PIXELS, Found
from core.presentation.layers import on_activations, on_layers
from core.presentation.words import percent


def on_found(found: Found, choice: Choice) -> str:
    """Say what a file holds, and how well the network does if it is read by a choice."""
    network, how = choice.reading.network, choice.reading.how
    functions = f" with {on_activations(network)}" if found.sure else ""
    said = [
        f"A {found.program} file: {on_layers(network)}{functions}, "
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


def on_choice(choice: Choice) -> str:
    """Say how pixels are read, with the accuracy then."""
    return f"{PIXELS[choice.pixels].words}: {percent(choice.accuracy)}"


def on_reading(choice: Choice) -> str:
    """Say how layers are read, with the accuracy then."""
    how = choice.reading.how or "as the file has them"
    return f"{percent(choice.accuracy)}: {how}"
