"""Whether a venue serves us, and an account: asked before anything is priced there for somebody."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Barred:
    """Why nothing can be traded there. ``exits``: what is held may still be closed."""

    code: str
    message: str
    exits: bool = False


class Screen(Protocol):
    async def barred(self, address: str | None) -> Barred | None:
        """``address``: of the account at the venue, None where it is not known: then only what
        holds for everybody who asks from here. Raises VenueUnavailable and VenueProtocolError when
        the venue does not say."""
        ...

    async def close(self) -> None: ...
