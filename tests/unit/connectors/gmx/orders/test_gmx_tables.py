"""Tables of a builder from the recorded lists."""

from typing import Any

import pytest

from connectors.gmx import parse
from connectors.gmx.orders.tables import PoolToken, TradedPool, traded_pools
from domain.errors import InputError
from tests.unit.connectors.gmx.kit import BTC_USDC, ETH_ETH, recorded
from tests.unit.connectors.gmx.orders import kit as k

TOKENS = parse.tokens(recorded("tokens.arbitrum.json"))
ROWS: list[Any] = recorded("markets.arbitrum.json")["markets"]


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
