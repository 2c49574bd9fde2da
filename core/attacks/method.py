"""What an attack is to those who choose among several."""

from dataclasses import dataclass

from core.attacks.problem import Attack, MinimalAttack


@dataclass(frozen=True)
class Method:
    """An attack and what there is to say about it; it is of one of the two kinds.

    Attributes:
        name: its function's.
        title: as it is written.
        norm: "linf", "l2" or "l0" (how many pixels): of which `attack` is given a budget, or
            which `minimal` keeps small.
        targeted: whether it can be sent towards a label.
        attack: the function, where it is given a budget.
        minimal: the function, where it finds the budget itself.
        summary: what it does, for a student, and where it is from.
    """

    name: str
    title: str
    norm: str
    targeted: bool
    summary: str
    attack: Attack | None = None
    minimal: MinimalAttack | None = None
