"""Tables of a builder from the recorded lists, and claims of what events have told."""

from typing import Any

import pytest

from connectors.gmx import parse
from connectors.gmx.orders import calls
from connectors.gmx.orders.calls import ClaimCollateral, ClaimFundingFees
from connectors.gmx.orders.claims import claims
from connectors.gmx.orders.events import Claimable
from connectors.gmx.orders.tables import PoolToken, TradedPool, traded_pools
from domain.errors import InputError
from domain.outcomes import EventPlace
from tests.unit.connectors.gmx.kit import BTC_USDC, ETH_ETH, recorded
from tests.unit.connectors.gmx.orders import kit as k

TOKENS = parse.tokens(recorded("tokens.arbitrum.json"))
ROWS: list[Any] = recorded("markets.arbitrum.json")["markets"]
PLACE = EventPlace(42161, 1, "0x" + "b" * 64, "0x" + "c" * 64, 0)


def test_the_recorded_pools_with_an_index() -> None:
    pools = traded_pools(TOKENS, ROWS)
    assert len(pools) == 129
    assert pools[BTC_USDC.lower()] == TradedPool(
        BTC_USDC.lower(), 8, PoolToken(k.WBTC, "WBTC.b", 8), PoolToken(k.USDC, "USDC", 6)
    )
    assert pools[k.ETH_USDC.lower()] == k.POOLS[k.ETH_USDC.lower()]


def test_rows_that_say_nothing_are_left_out() -> None:
    rows = [{}, 5, ROWS[0] | {"longToken": "0x12"}, *ROWS]
    assert traded_pools(TOKENS, rows) == traded_pools(TOKENS, ROWS)
    assert traded_pools({}, ROWS) == {}


def test_collateral_by_name() -> None:
    tables = k.tables()
    pool = tables.pool(k.ETH_USDC)
    ether, wrapped = tables.collateral(pool, "ETH"), tables.collateral(pool, "WETH")
    assert (ether.native, wrapped.native) == (True, False)
    assert ether.token.address == wrapped.token.address == k.WETH
    assert ether.is_long_token
    assert not tables.collateral(pool, "USDC").is_long_token
    single = traded_pools(TOKENS, ROWS)[ETH_ETH.lower()]
    assert tables.collateral(single, "ETH").native
    for symbol in ("USDC", "eth", ""):
        with pytest.raises(InputError) as refused:
            tables.collateral(single, symbol)
        assert refused.value.code == "COLLATERAL"


def claimable(market: str, time_key: int | None, left: int) -> Claimable:
    return Claimable(PLACE, k.OWNER, market.lower(), k.USDC, time_key, 1, left)


def test_claims_of_what_is_left() -> None:
    found = [
        claimable(k.ETH_USDC, None, 5),
        claimable(k.BTC_USDC, None, 0),
        claimable(k.BTC_USDC, 498_611, 7),
        claimable(k.ETH_USDC, 498_612, 7),
    ]
    sent = calls.decode_all("v2.2c", claims("v2.2c", found, k.OWNER))
    eth, btc = k.ETH_USDC.lower(), k.BTC_USDC.lower()
    assert sent == (
        ClaimFundingFees((eth,), (k.USDC,), k.OWNER),
        ClaimCollateral((btc, eth), (k.USDC, k.USDC), (498_611, 498_612), k.OWNER),
    )
    assert len(calls.decode_all("v2.2c", claims("v2.2c", found[2:], k.OWNER))) == 1


@pytest.mark.parametrize(
    ("found", "account", "code"),
    [
        ([], k.OWNER, "NOTHING"),
        ([claimable(k.ETH_USDC, None, 0)], k.OWNER, "NOTHING"),
        ([claimable(k.ETH_USDC, None, 5)], "0x" + "2" * 40, "NOT_OWNER"),
    ],
)
def test_nothing_to_claim(found: list[Claimable], account: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        claims("v2.2b", found, account)
    assert refused.value.code == code
