"""A pool of 1 M USD on each side in one band of 100 ppm, without limits, and pools like it."""

from dataclasses import replace
from typing import Any

from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.depth import Side
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.impact import PairState
from connectors.gains.economics.inputs import Pool, PoolState
from connectors.gains.economics.limits import Exposure
from connectors.gains.economics.scales import E10, Collateral

USDC = Collateral(6, 10**8)
FEES = FeeTerms(600_000_000, 100_000_000_000, 1_250_000)
EXPOSURE = Exposure(OpenInterest(0, 0, 10**20), OpenInterest(0, 0, 0))
STATE = PairState(
    spread_p=4 * 10**8,
    above=Side(1_000_000, (*(0,) * 29, 10_000)),
    below=Side(1_000_000, (*(0,) * 29, 10_000)),
    offsets_ppm=(*(0,) * 29, 100),
    volume_long_usd_e18=0,
    volume_short_usd_e18=0,
    long_token_e18=0,
    short_token_e18=0,
    skew_depth_e18=0,
)
POOL = Pool(100_000 * E10, PoolState(USDC, STATE, FEES, EXPOSURE, 1_100))


def changed(**pair: Any) -> Pool:
    """The pool with another state of its pair."""
    return replace(POOL, state=replace(POOL.state, pair=replace(STATE, **pair)))
