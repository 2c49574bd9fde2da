"""What results say in plain words."""

from core.path import Path


def on_path(path: Path, *, random_flips: int, label: int, target: int | None = None) -> str:
    """What there is to say of one image's way through an attack's budgets.

    Args:
        path: see `core.path.trace`.
        random_flips: how many of 100 random perturbations as large as the flip's flip it too.
        label: the digit that the image is meant to be.
        target: the digit that the attack was after, if any.
    """
    before = int(path.predictions[0])
    largest = f"ε = {path.epsilons[-1]:g}"
    if before != label:
        return f"The network takes this {label} for a {before} without any attack."
    if path.flip is None:
        return f"Stays a {before} all the way to {largest}."
    epsilon, after = path.flip.epsilon, path.flip.after
    control = {
        0: "none of 100 random perturbations of that size does it",
        1: "one of 100 random perturbations of that size does it too",
    }.get(random_flips, f"{random_flips} of 100 random perturbations of that size do it too")
    flips = (
        f"Flips from {before} to {after} at ε = {epsilon:.3f}, "
        f"{_grey_levels(epsilon)} of 255 grey levels; {control}."
    )
    if target in (None, after):
        return flips
    if path.reaches is None:
        return f"{flips} It never becomes a {target}, up to {largest}."
    return f"{flips} It becomes a {target} at ε = {path.reaches:.3f}."


def _grey_levels(epsilon: float) -> str:
    levels = round(epsilon * 255)
    return str(levels) if levels else "less than one"
