"""Positions of an account, from the Reader. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from connectors.base.orders import Call
from connectors.base.positions import OpenPosition
from connectors.gmx.addresses import address
from connectors.gmx.constants import VENUE
from connectors.gmx.economics import load
from connectors.gmx.economics.model import NOTHING, Position
from connectors.gmx.orders import keys, reader
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.reader import StoredPosition
from domain.errors import VenueProtocolError

_BORROWING: Final = "CUMULATIVE_BORROWING_FACTOR"
_FUNDING: Final = "FUNDING_FEE_AMOUNT_PER_SIZE"


@dataclass(frozen=True, slots=True)
class GmxPositions:
    """See ``PositionBook``."""

    chain_id: int
    version: Version
    contracts: Mapping[str, str]
    venue = VENUE

    def calls(self, chain_id: int, owner: str) -> Sequence[Call]:
        if chain_id != self.chain_id:
            return []
        reads, store = self.contracts["READER"], self.contracts["DATA_STORE"]
        return [reader.account_positions_call(self.version, reads, store, owner)]

    def read(
        self, chain_id: int, owner: str, answers: Sequence[bytes | None]
    ) -> Sequence[OpenPosition]:
        (data,) = answers
        if data is None:
            raise VenueProtocolError("BAD_ANSWER", "the Reader did not answer for positions")
        found = reader.account_positions(self.version, data)
        return [_open(chain_id, owner, stored) for stored in found if stored.size_units]

    def details(self, positions: Sequence[OpenPosition], owner: str) -> Sequence[Call]:
        del owner
        store = self.contracts["DATA_STORE"]
        asked = []
        for item in positions:
            stored: StoredPosition = item.stored
            market, token, long = stored.market, stored.collateral_token, stored.is_long
            of_side = keys.key(_BORROWING, ("address", "bool"), (market, long))
            of_token = keys.key(_FUNDING, ("address", "address", "bool"), (market, token, long))
            asked += [keys.uint_call(store, of_side), keys.uint_call(store, of_token)]
        return asked

    def detailed(self, position: OpenPosition, answers: Sequence[bytes | None]) -> OpenPosition:
        borrowing, funding = answers
        if borrowing is None or funding is None:
            return position
        return replace(position, details=Owed(keys.uint(borrowing), keys.uint(funding)))


def _open(chain_id: int, owner: str, stored: StoredPosition) -> OpenPosition:
    ref = keys.position_key(owner, stored.market, stored.collateral_token, stored.is_long)
    return OpenPosition(
        VENUE, chain_id, ref, address(stored.market), None, "LONG" if stored.is_long else "SHORT",
        stored,
    )  # fmt: skip


class Owed(NamedTuple):
    """What the pool has summed up per size so far: a position owes the difference to its own.
    ``borrowing_factor_e30``, and ``funding_fee_per_size`` in its collateral."""

    borrowing_factor_e30: int
    funding_fee_per_size: int


def since(position: OpenPosition, *, in_long_token: bool) -> Position | None:
    """The position as one of a pool that begins to count now; None where its details are not known.

    Raises InputError ``MISSING_VALUE``, ``BAD_VALUE``.
    """
    owed: Owed | None = position.details
    if owed is None:
        return None
    found = load.position(
        position.stored.numbers,
        is_long=position.side == "LONG",
        collateral_is_long_token=in_long_token,
    )
    return replace(
        found,
        borrowing_factor_e30=found.borrowing_factor_e30 - owed.borrowing_factor_e30,
        funding_fee_per_size=found.funding_fee_per_size - owed.funding_fee_per_size,
        claimable_funding_per_size=NOTHING,
    )
