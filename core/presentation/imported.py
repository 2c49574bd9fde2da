"""In words: what was found in a file that another program wrote."""

from core.evaluation.imported import TRIED, Choice
from core.networks.foreign import PIXELS, Found
from core.presentation.words import percent


def on_found(found: Found, choice: Choice) -> str:
    """Say what a file holds, and how well the network does if it is read by a choice."""
    network = choice.reading.network
    how = f", {choice.reading.how}" if choice.reading.how else ""
    said = [
        f"A {found.program} file: {'-'.join(map(str, network.sizes))}, "
        f"{network.parameter_count:,} parameters{how}."
    ]
    if found.left_out:
        said.append(
            f"{' and '.join(found.left_out)} at the end is left out: attacks need the logits."
        )
    said.append(
        f"With pixels as {PIXELS[choice.pixels].words}, it classifies "
        f"{percent(choice.accuracy)} of {TRIED:,} training images correctly."
    )
    if not found.sure:
        said.append(
            "ReLU is assumed after each layer but the last. If your own program measures a higher "
            "accuracy, the network has another activation, or its pixels were prepared in another "
            "way."
        )
    return " ".join(said)


def on_choice(choice: Choice) -> str:
    """Say how pixels are read, with the accuracy then."""
    return f"{PIXELS[choice.pixels].words}: {percent(choice.accuracy)}"
