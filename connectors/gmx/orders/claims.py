"""What a trader has to claim: funding that was earned, and collateral that a cap on impact kept
back, which can be had some days later. Pure.

Source: GMX v2 contracts, fee/FeeUtils.sol, market/MarketUtils.sol, v2.2b and v2.2c.
"""

from collections.abc import Iterator, Sequence

from connectors.gmx.orders import calls
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.events import Claimable
from domain.errors import InputError


def claims(version: Version, found: Sequence[Claimable], account: str) -> bytes:
    """Calldata for the ExchangeRouter, which pays all of it to its owner.

    ``found``: the last event of each market, token and time key.
    Raises: InputError ``NOT_OWNER`` for another account's, ``NOTHING`` where nothing is left.
    """
    if any(item.account != account.lower() for item in found):
        raise InputError("NOT_OWNER", "somebody else's claims")
    left = [item for item in found if item.next_units]
    sent = list(_calls(left, account.lower()))
    if not sent:
        raise InputError("NOTHING", "there is nothing to claim")
    return calls.encode_all(version, sent)


def _calls(left: Sequence[Claimable], account: str) -> Iterator[calls.Call]:
    funding = [item for item in left if item.time_key is None]
    if funding:
        markets, tokens = (item.market for item in funding), (item.token for item in funding)
        yield calls.ClaimFundingFees(tuple(markets), tuple(tokens), account)
    kept = [(item, item.time_key) for item in left if item.time_key is not None]
    if kept:
        yield calls.ClaimCollateral(
            tuple(item.market for item, _ in kept),
            tuple(item.token for item, _ in kept),
            tuple(time_key for _, time_key in kept),
            account,
        )
