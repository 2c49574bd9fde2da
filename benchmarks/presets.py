"""How long each preset trains, beside the report's recipe trained just before it."""

from dataclasses import replace

from benchmarks.measuring import print_machine, print_table, timed
from core.data import mnist
from core.networks import Single
from core.recipe import PRESETS, Recipe
from core.training import split, train

BASELINE = "report"


def main() -> None:
    """Train every preset in full, the report's between them, and print a table."""
    training, test = mnist.load("train"), mnist.load("test")
    trained: dict[str, Single] = {}

    def seconds(preset: str) -> float:
        """Train a preset; return how long that took, without reading the images."""
        recipe = PRESETS[preset]
        learned, validation = split(recipe, training, test)

        def run() -> None:
            start = trained.get(recipe.start)
            *_, report = train(recipe, learned, validation, start=start)
            trained[preset] = report.kept_member

        return timed(run)[0]

    warm_up(training, test)
    rows = []
    for preset in PRESETS:
        # The baseline is trained again each time, so noise hits both alike.
        baseline, own = seconds(BASELINE), seconds(preset)
        engine = "compiled" if PRESETS[preset].reproducible else "PyTorch"
        rows.append(
            [
                preset,
                engine,
                f"{own:.1f} s",
                f"{baseline:.1f} s",
                f"{own / baseline:.2f}",
                f"at most {most(PRESETS[preset])}",
            ]
        )
    print_machine()
    print_table(["preset", "engine", "seconds", "report's, just before", "ratio", "target"], rows)


def most(recipe: Recipe) -> int:
    """Return how many times as long as the report's recipe a preset may take."""
    if recipe.adversary == "interval":  # about three times the work, in three times the epochs
        return 30
    if recipe.convolutions:  # four times the work, and what surrounds it
        return 15
    if not recipe.reproducible:
        return 6
    larger = max(1, _work(recipe) / _work(PRESETS[BASELINE]))
    return round(larger * (3 if recipe.augmented else 2))


def _work(recipe: Recipe) -> int:
    """Return how many weights a training goes through for each image, over all its epochs."""
    return recipe.members * recipe.epochs * recipe.weights


def warm_up(training: mnist.Digits, test: mnist.Digits) -> None:
    """Compile the loop and import PyTorch."""
    for preset in (BASELINE, "augmentation", "batch-norm"):
        recipe = replace(PRESETS[preset], epochs=1, training_images=200)
        learned, validation = split(recipe, training, test)
        list(train(recipe, learned, validation))


if __name__ == "__main__":
    main()
