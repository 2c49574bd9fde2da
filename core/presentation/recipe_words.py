"""A recipe in words."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from core.networks import shown_name
from core.presentation.words import percent
from core.recipe import Recipe

# What a setting says that differs from the course report's. ε is said with its adversary.
_SAID: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "convolutions": lambda channels: f"convolutions of {_listed(channels)} channels",
        "hidden": lambda units: (
            f"hidden layers {'-'.join(map(str, units))}" if units else "no hidden layers"
        ),
        "epochs": lambda epochs: _counted(epochs, "epoch"),
        "batch_size": lambda images: f"batches of {_counted(images, 'image')}",
        "optimizer": {"momentum": "SGD with momentum", "adam": "Adam"}.__getitem__,
        "learning_rate": lambda rate: f"learning rate {rate:g}",
        "schedule": {"step": "a schedule in steps", "cosine": "a cosine schedule"}.__getitem__,
        "weight_decay": lambda decay: f"weight decay {decay:g}",
        "dropout": lambda share: f"dropout {share:g}",
        "batch_norm": lambda on: "batch normalisation",
        "rotation": lambda most: f"images turned by up to {most:g}°",
        "shift": lambda most: f"images shifted by up to {most:g} pixels",
        "scaling": lambda most: f"images scaled by up to {percent(most, 0)}",
        "shear": lambda most: f"images slanted by up to {most:g}",
        "stretching": lambda most: f"images stretched by up to {percent(most, 0)}",
        "elastic": lambda most: f"elastic distortion of up to {most:g} pixels",
        "stroke_width": lambda most: f"stroke width changed by up to {most:g}",
        "hooks": lambda share: f"{percent(share, 0)} of the 1s and 7s as Europeans write them",
        "refit": lambda on: "images fitted and centred again",
        "flip": lambda on: "half of the images mirrored",
        "training_images": lambda images: _counted(images, "training image"),
        "held_out": lambda images: f"{_counted(images, 'image')} held out",
        "patience": lambda epochs: f"early stopping after {_counted(epochs, 'epoch')}",
        "digits": lambda digits: (
            f"{'digits' if len(digits) > 1 else 'digit'} {_listed(digits)} alone"
        ),
        "members": lambda members: f"{members} networks",
        "start": lambda name: f"started from {shown_name(name)}",
        "frozen": lambda layers: _counted(layers, "frozen layer"),
        "adversary": {
            "fgsm": "images attacked by FGSM",
            "pgd": "images attacked by PGD",
            "interval": "interval bounds on every change",
        }.__getitem__,
    }
)


def on_recipe(recipe: Recipe) -> str:
    """Say how a recipe differs from the course report's."""
    standard = Recipe()
    differences = [
        say(value)
        for name, say in _SAID.items()
        if (value := getattr(recipe, name)) != getattr(standard, name)
    ]
    if recipe.adversary != "none":
        differences[-1] += f" within ε = {recipe.adversary_epsilon:g}"
    if not differences:
        return "The standard recipe, the course report's."
    return f"The standard recipe, except: {', '.join(differences)}."


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _listed(numbers: tuple[int, ...]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
