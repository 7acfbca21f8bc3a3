"""What an owner has to claim of a pool: funding that was earned, and collateral that a cap on
impact kept back, which can be had some days later. Pure.

Funding lies in the DataStore by token. What was kept lies there by token and hour, and nothing
lists the hours: those that events have told are asked about. How much of it may leave by now
follows from factors and a delay that have changed with releases, so the router itself is asked.
Source: GMX v2 contracts, data/Keys.sol, fee/FeeUtils.sol, market/MarketUtils.sol, v2.2b and v2.2c.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, Protocol, TypeAlias

from connectors.base.orders import Call, Due, Place
from connectors.gmx.economics.opened import PoolToken
from connectors.gmx.orders import calls, keys
from connectors.gmx.orders.abi import Version, functions
from connectors.gmx.orders.tables import Tables, TradedPool
from domain.errors import InputError
from domain.outcomes import ClaimKind

_OF_ACCOUNT: Final = ("address", "address", "address")
_OF_HOUR: Final = ("address", "address", "uint256", "address")


Claim: TypeAlias = calls.ClaimFundingFees | calls.ClaimCollateral


class Kept(NamedTuple):
    """``time_key``: hours since 1970, as the event told it. ``token`` in lower case."""

    token: str
    time_key: int

    @property
    def name(self) -> str:
        return f"{self.token}:{self.time_key}"


class Answered(Protocol):
    """``payable``: 0 where the call reverted."""

    def uint(self, name: str) -> int: ...
    def payable(self, name: str) -> int: ...


def kept_of(pool: TradedPool, names: Sequence[str]) -> tuple[Kept, ...]:
    """Those of the pool's tokens. Raises: InputError ``BAD_REFS`` for what is no name of ours."""
    found = []
    for name in dict.fromkeys(names):
        token, _, time_key = name.partition(":")
        if not time_key.isdecimal():
            raise InputError("BAD_REFS", f"no time key: {name:.80}")
        if any(token == own.address for own in tokens(pool)):
            found.append(Kept(token, int(time_key)))
    return tuple(found)


def tokens(pool: TradedPool) -> Sequence[PoolToken]:
    """Each once; some pools have one on both sides."""
    return list({token.address: token for token in (pool.long_token, pool.short_token)}.values())


def reads(tables: Tables, request: Place) -> Mapping[str, Call]:
    """By name. Raises: InputError."""
    pool, owner = tables.pool(request.leg.pool), request.owner
    store, router = tables.contracts["DATA_STORE"], tables.contracts["EXCHANGE_ROUTER"]
    found = {}
    for token in tokens(pool):
        place = (pool.market, token.address, owner)
        key = keys.key("CLAIMABLE_FUNDING_AMOUNT", _OF_ACCOUNT, place)
        found[f"funding:{token.address}"] = keys.uint_call(store, key)
    for kept in kept_of(pool, request.kept):
        hour = (pool.market, kept.token, kept.time_key, owner)
        for part, name in (
            ("kept", "CLAIMABLE_COLLATERAL_AMOUNT"),
            ("taken", "CLAIMED_COLLATERAL_AMOUNT"),
        ):
            key = keys.key(name, _OF_HOUR, hour)
            found[f"{part}:{kept.name}"] = keys.uint_call(store, key)
        asked = calls.encode(tables.version, _collateral(pool, [kept], owner))
        found[f"payable:{kept.name}"] = Call(router, asked, owner)
    return found


def due(tables: Tables, request: Place, answers: Answered) -> Sequence[Claim]:
    """Calls of the router that pay all of it to its owner.

    Raises: InputError ``NOTHING``, and ``TOO_EARLY`` where all there is still waits.
    """
    pool, owner = tables.pool(request.leg.pool), request.owner.lower()
    kept = kept_of(pool, request.kept)
    found = list(_due(pool, kept, owner, answers))
    if found:
        return found
    if any(answers.uint(f"kept:{one.name}") > answers.uint(f"taken:{one.name}") for one in kept):
        raise InputError("TOO_EARLY", "what the cap on impact kept back is not to be had yet")
    raise InputError("NOTHING", "there is nothing to claim")


def _due(pool: TradedPool, kept: Sequence[Kept], owner: str, answers: Answered) -> Iterator[Claim]:
    funded = [token.address for token in tokens(pool) if answers.uint(f"funding:{token.address}")]
    if funded:
        yield calls.ClaimFundingFees((pool.market,) * len(funded), tuple(funded), owner)
    payable = [one for one in kept if answers.payable(f"payable:{one.name}")]
    if payable:
        yield _collateral(pool, payable, owner)


def amounts(tables: Tables, request: Place, answers: Answered) -> Iterator[Due]:
    """What ``due`` pays."""
    pool = tables.pool(request.leg.pool)
    own = {token.address: token for token in tokens(pool)}
    for token in own.values():
        if units := answers.uint(f"funding:{token.address}"):
            yield _told("funding", token, units)
    for one in kept_of(pool, request.kept):
        if units := answers.payable(f"payable:{one.name}"):
            yield _told("impact", own[one.token], units)


def _told(kind: ClaimKind, token: PoolToken, units: int) -> Due:
    return Due(kind, token.symbol, Decimal(f"{units}E-{token.decimals}"))


def _collateral(pool: TradedPool, kept: Sequence[Kept], owner: str) -> calls.ClaimCollateral:
    return calls.ClaimCollateral(
        (pool.market,) * len(kept),
        tuple(one.token for one in kept),
        tuple(one.time_key for one in kept),
        owner,
    )


def paid(version: Version, data: bytes) -> int:
    """Sum of what ``claimCollateral`` answers. Raises: InputError ``BAD_CALLDATA``."""
    (amounts,) = functions(version, "ExchangeRouter")["claimCollateral"].decode_result(data)
    return sum(amounts)
