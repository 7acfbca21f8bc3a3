"""Why the contracts refuse an order, in the words of their decoded errors."""

from dataclasses import dataclass
from typing import Final

from domain.errors import InputError

NEGATIVE_COLLATERAL_SUM: Final = "Error: Invalid state: negative collateralSum"
"""The only refusal of these that is a plain revert string."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the contracts: its name and its arguments in their order."""

    name: str
    arguments: tuple[tuple[str, int | str], ...] = ()

    def __str__(self) -> str:
        if self.name == NEGATIVE_COLLATERAL_SUM:
            return self.name
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in self.arguments)})"


class Refused(InputError):
    """The contracts would revert; ``refusal`` says with what."""

    def __init__(self, name: str, **arguments: int | str) -> None:
        self.refusal = Refusal(name, tuple(arguments.items()))
        super().__init__("ORDER_REFUSED", str(self.refusal))
