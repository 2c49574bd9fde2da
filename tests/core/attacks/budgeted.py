"""The attacks that take a budget, for a test that is to hold for each."""

import pytest

from core.attacks import METHODS, BudgetMethod

BUDGETED = {
    name: method.attack for name, method in METHODS.items() if isinstance(method, BudgetMethod)
}
every_attack = pytest.mark.parametrize("attack", BUDGETED.values(), ids=BUDGETED)
