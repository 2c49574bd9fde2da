"""All that decides a training run."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core import checks


@dataclass(frozen=True)
class Recipe:
    """Settings of a training run by stochastic gradient descent; equal recipes, equal networks.

    The defaults are the course report's.

    Attributes:
        hidden: units of each hidden layer, ReLU after each.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: of each step, on the mean loss of its images.
        seed: decides the initial weights and the order of the images in each epoch.

    Raises:
        ValueError: a setting is out of its range; the message names it.
    """

    hidden: tuple[int, ...] = (128, 64)
    epochs: int = 20
    batch_size: int = 1
    learning_rate: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        for units in self.hidden:
            checks.whole_number(units, name="hidden", least=1)
        checks.whole_number(self.epochs, name="epochs", least=1)
        checks.whole_number(self.batch_size, name="batch_size", least=1)
        checks.whole_number(self.seed, name="seed", least=0)
        if not (isinstance(self.learning_rate, int | float) and 0 < self.learning_rate <= 10):
            raise ValueError(
                f"learning_rate must be above 0 and at most 10, not {self.learning_rate!r}"
            )


PRESETS: Mapping[str, Recipe] = MappingProxyType({"report": Recipe()})
