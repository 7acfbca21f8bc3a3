"""Claims: what is asked for. An order answers."""

from typing import Annotated, Final, get_args

from pydantic import Field

from api.schemas.base import Read, Said, one_of
from api.schemas.orders import ClientOrderId, Deadline, Venue
from api.schemas.routing import CollateralBody, Name, whole
from domain.orders import PositionSide

MAX_CHAIN: Final = 2**53 - 1


class ClaimBody(Said):
    """Of a pool, funding and what a cap on impact kept back; of a position, its profit."""

    venue: Venue
    chain_id: Annotated[
        int,
        Read(whole(1, MAX_CHAIN), {"type": "integer", "minimum": 1, "maximum": MAX_CHAIN}),
    ] = Field(examples=[42161])
    market: Name = Field(examples=["ETH-USD"])
    pool: Name = Field(description="as routes name it")
    position_ref: Name | None = Field(default=None, description="of profit: venue_refs.position")
    side: Annotated[PositionSide, one_of(get_args(PositionSide), "UNKNOWN_SIDE")] | None = Field(
        default=None, description="of the position"
    )
    collateral: CollateralBody | None = Field(
        default=None, description="of profit: symbol, and at most this amount; without it all"
    )
    client_order_id: ClientOrderId | None = None
    deadline: Deadline | None = Field(default=None, description="as of an order")
