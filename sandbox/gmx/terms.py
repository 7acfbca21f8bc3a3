"""What governance has set for one market of GMX: factors near those of the public repository's
configuration, by the size of the pool. Factors and USD are integers with 30 decimals."""

from random import Random
from typing import Final

from domain.units import E18, power10
from sandbox.gmx.catalogue import Pool

# Price impact in USD is the factor times the imbalance in USD to the exponent.
_MAJOR_IMPACT: Final = ((9e-11, 2.0),)
_MINOR_IMPACT: Final = ((2e-9, 2.0), (1.2e-7, 1.7))
_ONE_TOKEN_IMPACT: Final = 3.0
_GAIN_SHARE: Final = 0.4
# A cap that seldom binds before the reserves do.
_INTEREST_OF_POOL: Final = 1.5


class Terms:
    """``impact_factor``: of a better and of a worse balance; ``max_interest_usd``: of each side."""

    def __init__(self, pool: Pool, size_usd: float, rng: Random) -> None:
        is_major = pool.index is not None and pool.index.symbol in ("BTC", "ETH")
        factor, exponent = rng.choice(_MAJOR_IMPACT if is_major else _MINOR_IMPACT)
        factor *= rng.uniform(0.7, 1.4)
        if pool.long is pool.short:
            factor *= _ONE_TOKEN_IMPACT
        self.impact_factor = (_e30(factor * _GAIN_SHARE), _e30(factor))
        self.impact_exponent = _e30(exponent)
        self.fee_factor = (_e30(0.0004), _e30(0.0006))
        self.max_impact_factor = (_e30(0.004), _e30(0.005))
        self.max_interest_usd = _e30(round(size_usd * _INTEREST_OF_POOL, -5))


def _e30(value: float) -> int:
    return round(value * 1e12) * E18 if value > 1e-3 else round(value * 1e18) * power10(12)
