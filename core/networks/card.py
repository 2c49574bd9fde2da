"""The card of a network: where it comes from, its accuracies, the log of its training."""

import datetime
from dataclasses import dataclass

from core import validate
from core.recipe import Recipe

DIGITS = tuple(range(validate.CLASSES))
_MOST_ORIGIN = 40  # characters of each of its fields
MOST_LOSS = 1e9  # of a logged epoch; a training with a larger loss has diverged


@dataclass(frozen=True)
class LoggedEpoch:
    """The numbers of one epoch; losses may be NaN or infinite if the training diverged.

    Attributes:
        member: which member of the ensemble was trained, counted from 1.
        epoch: of that member, counted from 1.
        train_loss: mean cross-entropy over the epoch, each image before its own step.
        train_accuracy: over the same images, in [0, 1].
        validation_loss, validation_accuracy: of the network at the end of the epoch.
    """

    member: int
    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Origin:
    """Where a network comes from that another program trained.

    Attributes:
        program: what wrote the file: "PyTorch", "safetensors" or "ONNX".
        pixels: the key of the input that its training used; see `core.networks.foreign.PIXELS`.
    """

    program: str
    pixels: str


@dataclass(frozen=True)
class Card:
    """What a network's file says of it.

    Attributes:
        recipe: the recipe of its training, including the seed; None if it is not known, because
            another program trained the network.
        epochs_trained: the number of epochs that the network was trained for; 0 without a recipe.
        created: the day of the training, or on which the network was imported, as YYYY-MM-DD.
        train_accuracy, validation_accuracy, test_accuracy: measured after training, in [0, 1].
        train_seconds: the duration of the training; None if it is not known.
        log: every epoch of the training, member by member, including those after the epoch that was
            kept. Empty if the log is not known.
        measured_on: the accuracies are those of at most the first so many images of each kind; None
            for all images.
        origin: of a network that another program trained. A card has a recipe or an origin.

    Raises:
        ValueError: a value has the wrong type or is out of its range; the message names it.
    """

    recipe: Recipe | None
    epochs_trained: int
    created: str
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float
    train_seconds: float | None = None
    log: tuple[LoggedEpoch, ...] = ()
    measured_on: int | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        self._check_origin()
        validate.whole_number(self.epochs_trained, name="epochs_trained", least=0)
        if self.epochs_trained > (self.recipe.epochs if self.recipe else 0):
            raise ValueError("epochs_trained must not be more than the recipe's epochs")
        try:
            datetime.date.fromisoformat(self.created)
        except (TypeError, ValueError):
            raise ValueError(f"created must be YYYY-MM-DD, not {self.created!r}") from None
        for field in ("train_accuracy", "validation_accuracy", "test_accuracy"):
            _check_number(field, getattr(self, field), most=1)
        if self.train_seconds is not None:
            _check_number("train_seconds", self.train_seconds, most=1e9)
        if self.measured_on is not None:
            validate.whole_number(self.measured_on, name="measured_on", least=1)
        self._check_log()

    @property
    def digits(self) -> tuple[int, ...]:
        """The digits that the network has learned; all ten if its recipe is not known."""
        return self.recipe.digits if self.recipe else DIGITS

    def _check_origin(self) -> None:
        if (self.recipe is None) == (self.origin is None):
            raise ValueError("a card must have either a recipe or an origin")
        if self.origin is not None:
            for field, value in vars(self.origin).items():
                text = isinstance(value, str) and value.isprintable()
                if not (text and 1 <= len(value) <= _MOST_ORIGIN):
                    raise ValueError(f"{field} must be 1 to {_MOST_ORIGIN} printable characters")

    def _check_log(self) -> None:
        """Raise if no training by the recipe can have this log, which also bounds its length."""
        if type(self.log) is not tuple or any(type(each) is not LoggedEpoch for each in self.log):
            raise ValueError("log must be a tuple of LoggedEpoch")
        if self.recipe is None:
            if self.log:
                raise ValueError("log must be empty without a recipe")
            return
        member, epoch = 1, 0
        for logged in self.log:
            for field in ("member", "epoch"):
                validate.whole_number(getattr(logged, field), name=field, least=1)
            for part in ("train", "validation"):
                _check_number(f"{part}_loss", getattr(logged, f"{part}_loss"), most=MOST_LOSS)
                _check_number(f"{part}_accuracy", getattr(logged, f"{part}_accuracy"), most=1)
            if (logged.member, logged.epoch) not in ((member, epoch + 1), (member + 1, 1)):
                raise ValueError("log must hold one epoch after the other, member by member")
            member, epoch = logged.member, logged.epoch
            if epoch > self.recipe.epochs or member > self.recipe.members:
                raise ValueError("log must not be longer than its recipe")


def _check_number(field: str, value: object, *, most: float) -> None:
    """Raise unless `value` is a number from 0 to `most`, not NaN."""
    if not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{field} must be a number from 0 to {most:g}, not {value!r}")
