import numpy as np
import pytest

from sandbox.prices import STEP_US, PriceProcess, load_assets


def _walk(process: PriceProcess, markets: list[str], steps: int) -> np.ndarray:
    process.advance(0)
    rows = []
    for step in range(1, steps + 1):
        process.advance(step * STEP_US)
        rows.append([process.price(market) for market in markets])
    return np.array(rows)


def test_one_seed_gives_one_walk() -> None:
    first, second, other = (PriceProcess(load_assets(), seed) for seed in (5, 5, 6))
    for process in (first, second, other):
        process.advance(0)
        process.advance(60_000_000)
    assert first.values == second.values
    assert first.values != other.values


def test_prices_do_not_depend_on_when_they_are_read() -> None:
    often, once = PriceProcess(load_assets(), 5), PriceProcess(load_assets(), 5)
    often.advance(0)
    once.advance(0)
    for now_us in range(0, 5_000_001, 7_000):
        often.advance(now_us)
    often.advance(5_000_000)
    once.advance(5_000_000)
    assert often.values == once.values


def test_at_least_forty_markets_start_at_their_own_prices() -> None:
    process = PriceProcess(load_assets(), 1)
    assert len(process.markets) >= 40
    assert process.price("BTC-USD") == pytest.approx(68526.44763)
    assert min(process.values) > 0


def test_assets_move_together_more_within_a_sector() -> None:
    markets = ["BTC-USD", "ETH-USD", "DOGE-USD", "SHIB-USD", "LTC-USD"]
    returns = np.diff(np.log(_walk(PriceProcess(load_assets(), 3), markets, 4000)), axis=0)
    correlation = np.corrcoef(returns.T)
    assert correlation[0, 1] > 0.75
    assert 0.3 < correlation[0, 4] < 0.8
    assert correlation[2, 3] > correlation[2, 4]


def test_volatility_is_the_asset_s_own() -> None:
    returns = np.diff(np.log(_walk(PriceProcess(load_assets(), 3), ["BTC-USD"], 4000)[:, 0]))
    annual = returns.std() * np.sqrt(365 * 86_400e6 / STEP_US)
    assert annual == pytest.approx(0.48, rel=0.1)


def test_a_set_price_is_where_the_walk_goes_on() -> None:
    process = PriceProcess(load_assets(), 1)
    process.advance(0)
    before = process.price("ETH-USD")
    process.set({"BTC-USD": 97_000.0})
    assert process.price("BTC-USD") == 97_000
    process.advance(1_000_000)
    assert process.price("BTC-USD") == pytest.approx(97_000, rel=1e-3)
    assert process.price("ETH-USD") == pytest.approx(before, rel=1e-3)


def test_a_long_pause_is_not_caught_up() -> None:
    process = PriceProcess(load_assets(), 1)
    process.advance(0)
    before = list(process.values)
    process.advance(3_600_000_000)
    assert process.values == before
