"""Pages of candles of every venue."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.base import markets
from connectors.base.history import number_e18, text_e18
from connectors.dydx import history as dydx
from connectors.gains import history as gains
from connectors.gmx import history as gmx
from domain.candles import PERIODS, Candle
from domain.errors import InputError
from domain.ids import MarketId, VenueId
from domain.units import E18
from tests.servers import LOOPBACK

DATA = Path(__file__).parents[2] / "data"
MINUTE, HOUR = PERIODS["1m"], PERIODS["1h"]
START_MS = 1_790_035_200_000


def gains_row(n: int, **changed: Any) -> dict[str, Any]:
    row = {"open": 1.5, "high": 2.25, "low": 1e-7, "close": 2, "time": START_MS + n * 60_000}
    return row | changed


def gains_page(*rows: Any) -> bytes:
    return orjson.dumps({"table": rows})


def test_recorded_page_of_dydx() -> None:
    rows, oldest_us, found = dydx.parse_page(
        (DATA / "dydx/abacus/rest_candles_page.json").read_bytes(), HOUR
    )
    assert rows == len(found) > 3
    assert oldest_us == min(candle.t_us for candle in found)
    assert found[0] == Candle(
        1_682_442_000_000_000, 18343 * E18 // 10, 18358 * E18 // 10, 18236 * E18 // 10,
        1825 * E18, 0,
    )  # fmt: skip


def test_a_bucket_of_dydx_without_trades_is_the_mid_of_the_book() -> None:
    body = (DATA / "dydx/ccxt_testnet/candles_btc_1min.json").read_bytes()
    _, _, (candle,) = dydx.parse_page(body, MINUTE)
    assert candle.open_e18 == candle.close_e18 == 11893025 * E18 // 100
    page = orjson.loads(body)
    del page["candles"][0]["orderbookMidPriceOpen"]
    assert dydx.parse_page(orjson.dumps(page), MINUTE)[2] == []


def test_page_of_gmx() -> None:
    body = (DATA / "gmx/synthetic-prices-candles.json").read_bytes()
    found = gmx.parse_page(body, "1h")
    assert found[0] == Candle(
        1_783_342_800_000_000, 174102 * E18 // 100, 17445 * E18 // 10, 173611 * E18 // 100,
        17395 * E18 // 10, 0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="1m"):
        gmx.parse_page(body, "1m")


@pytest.mark.parametrize("unit", [1, 1000])
def test_page_of_gains_in_seconds_or_milliseconds(unit: int) -> None:
    body = gains_page(gains_row(0, time=START_MS // 1000 * unit))
    assert gains.parse_page(body, MINUTE) == [
        Candle(START_MS * 1000, 3 * E18 // 2, 9 * E18 // 4, E18 // 10**7, 2 * E18, 0)
    ]


BAD_ROWS: list[Any] = [
    None, [], {}, gains_row(1, open=None), gains_row(1, open="1.5"), gains_row(1, open=True),
    gains_row(1, low=0), gains_row(1, low=-1.0), gains_row(1, low=3.0), gains_row(1, high=1.0),
    gains_row(1, time=START_MS + 1), gains_row(1, time=1.5e12), gains_row(1, high=1e300),
]  # fmt: skip


@pytest.mark.parametrize("row", BAD_ROWS)
def test_rows_that_make_no_sense_are_left_out_and_a_page_of_them_is_none(row: Any) -> None:
    assert len(gains.parse_page(gains_page(gains_row(0), row), MINUTE)) == 1
    with pytest.raises(ValueError, match="readable"):
        gains.parse_page(gains_page(row), MINUTE)


@pytest.mark.parametrize(
    "parse",
    [
        partial(dydx.parse_page, width_us=MINUTE),
        partial(gmx.parse_page, period="1m"),
        partial(gains.parse_page, width_us=MINUTE),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"17", b'{"candles":17,"table":{},"period":"1m"}', b"[" * 10_000],
)
def test_what_is_no_page_is_refused(parse: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse(body)


def test_numbers_keep_their_shortest_digits() -> None:
    assert number_e18(0.1) == E18 // 10
    assert number_e18(97013.37) == 9701337 * E18 // 100
    assert number_e18(1e-7) == 10**11
    assert number_e18(3) == 3 * E18
    assert text_e18("1.5") == 3 * E18 // 2
    assert text_e18("0.0000000000000000019") == 1
    for bad in (float("nan"), float("inf"), 0, -1, True, "1", None, 10**19):
        with pytest.raises(ValueError, match="no "):
            number_e18(bad)
    with pytest.raises(InputError):
        text_e18("1e5")


def test_markets_go_by_the_venues_own_names() -> None:
    table = markets.load()
    history = dydx.DydxHistory("http://127.0.0.1:1", LOOPBACK, table)
    for market in table.markets(VenueId("dydx")):
        assert history._ticker(market) is not None
    assert history._ticker(MarketId("BTC-USD")) == "BTC-USD"
    assert history._ticker(MarketId("EUR-USD")) is None
