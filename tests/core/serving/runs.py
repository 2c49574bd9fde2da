"""What the tests of trainings share: recipes, a clock, and how one waits for a run."""

import time
from collections.abc import Callable

from core.recipe import Recipe
from core.serving.trainings import Status, Trainings
from core.serving.visitors import Visitor

QUICK = Recipe(hidden=(16,), epochs=2)
LONG = Recipe(hidden=(16,), epochs=1000)
LONG_ENOUGH = Recipe(hidden=(16,), epochs=1000, training_images=500)  # little work by any estimate


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        """The seconds so far."""
        return self.now


def wait(queue: Trainings, run: str, until: Callable[[Status], bool]) -> Status:
    """Look at a run until it is so."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        status = queue.status(run)
        assert status is not None
        if until(status):
            return status
        time.sleep(0.01)
    raise AssertionError(f"still not so after ten minutes: {queue.status(run)}")


def submit(queue: Trainings, recipe: Recipe) -> str:
    """Put a recipe into the line for somebody who was never there before."""
    return queue.submit(recipe, who=object())


def stop(queue: Trainings, run: str) -> None:
    """Stop a run as the server's only user, who may stop all."""
    queue.stop(run, who=Visitor("me", "tab", is_alone=True))


def ended(status: Status) -> bool:
    return status.ended
