"""What a wallet lacks for a route. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from api.routing.router import Leg
from connectors.base.routes import Paid
from domain.ids import VenueId
from domain.units import minimal

Spenders: TypeAlias = Mapping[tuple[VenueId, int], str]
"""Whom the owner of a collateral allows to take it, by venue and chain."""
Lacks: TypeAlias = Callable[[Leg], Sequence[Mapping[str, Any]] | None]
"""What is missing for a leg; None: nobody knows."""
COINS: Final = {137: "POL"}
"""A chain's own coin, where it is not ether."""
_WEI: Final = 18


class Grant(NamedTuple):
    """A token, and who has to be allowed to take it."""

    token: str
    spender: str


@dataclass(frozen=True, slots=True)
class Held:
    """Of a wallet on one chain. ``fee_per_gas_wei``: what a transaction offers at most now."""

    native_wei: int
    fee_per_gas_wei: int
    balances: Mapping[str, int]
    allowances: Mapping[Grant, int]


def nobody(leg: Leg) -> None:
    """Nobody asked, so nothing is known."""
    del leg


def grant_of(leg: Leg, spenders: Spenders) -> Grant | None:
    """What has to be read for a leg beside the chain's own coin; None: nothing."""
    paid, place = leg.paid, leg.route.place
    if paid is None or paid.token is None or not isinstance(place.chain_id, int):
        return None
    spender = spenders.get((place.venue, place.chain_id))
    return None if spender is None else Grant(paid.token, spender)


def lacking(leg: Leg, held: Held, grant: Grant | None) -> Sequence[Mapping[str, Any]] | None:
    """``grant``: of ``grant_of``. None where something of it is not known."""
    paid = leg.paid
    if paid is None or paid.fee_wei is None or (paid.token is not None and grant is None):
        return None
    found = []
    if grant is not None:
        balance, allowed = held.balances.get(grant.token), held.allowances.get(grant)
        if balance is None or allowed is None:
            return None
        if balance < paid.units:
            found.append(_token_need("BALANCE", paid, grant.token, None, balance))
        if allowed < paid.units:
            found.append(_token_need("ALLOWANCE", paid, grant.token, grant.spender, allowed))
    sent = paid.units if paid.token is None else 0
    if held.native_wei < sent:
        found.append(_token_need("BALANCE", paid, None, None, held.native_wei))
    needed = sent + paid.fee_wei + paid.gas * held.fee_per_gas_wei
    if held.native_wei < needed:
        place = leg.route.place
        symbol = COINS.get(place.chain_id, "ETH") if isinstance(place.chain_id, int) else None
        found.append(
            {
                "code": "GAS",
                "symbol": symbol,
                "token": None,
                "spender": None,
                "needed": _amount(needed, _WEI),
                "available": _amount(held.native_wei, _WEI),
            }
        )
    return found


def link_wallet() -> Mapping[str, Any]:
    """The account has shown no address of that chain."""
    names = ("symbol", "token", "spender", "needed", "available")
    return {"code": "LINK_WALLET", **dict.fromkeys(names)}


def _token_need(
    code: str, paid: Paid, token: str | None, spender: str | None, available: int
) -> Mapping[str, Any]:
    return {
        "code": code,
        "symbol": paid.symbol,
        "token": token,
        "spender": spender,
        "needed": _amount(paid.units, paid.decimals),
        "available": _amount(available, paid.decimals),
    }


def _amount(units: int, decimals: int) -> str:
    return minimal(Decimal(f"{units}E-{decimals}"))
