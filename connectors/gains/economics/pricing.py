"""The economics of the venue as whoever prices trades asks for them."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np

from connectors.base.economics import LadderArrays
from connectors.gains.constants import PRICE_DECIMALS, VENUE
from connectors.gains.economics.inputs import Pool, decoded
from connectors.gains.economics.ladder import price_rows
from connectors.gains.economics.quote import Unquotable, quote
from domain import exact
from domain.costs import Floats, OrderSide, PoolCost, PricedPool, UnpricedPool
from domain.errors import InputError
from domain.units import BPS, E18

BPS_DECIMALS: Final = 18
EXECUTION_FEE_USD: Final = Decimal(0)
"""Whoever triggers an order is paid out of the trading fee."""


class GainsEconomics:
    """See ``connectors.base.economics.Economics``. Inputs are ``inputs.Pool``.

    Prices are openings by a trader without terms of his own. The touch is that of the tape: spread
    and standing impact (recent volume, skew) are in it, and ``impact_bps`` is what the size itself
    moves. Reasons are those of ``quote.Unquotable``.
    """

    def encode(self, inputs: Pool) -> Any:
        return {"mark": str(inputs.mark_e10), "state": inputs.state.encoded}

    def decode(self, row: Any) -> Pool:
        try:
            return decoded(row["mark"], row["state"])
        except (LookupError, TypeError, ValueError) as error:
            raise InputError("BAD_DEPTH", f"gains: {error!r:.200}") from None

    def price(
        self, pool: str | None, inputs: Pool, side: OrderSide, notional_usd: Decimal
    ) -> PoolCost:
        """Rounding: parts in bps up after 18 decimals; the price is the contract's own.

        Raises InputError ``BAD_SIZE`` unless the notional is positive.
        """
        notional = exact.fraction(notional_usd)
        if notional <= 0:
            raise InputError("BAD_SIZE", "a notional must be positive")
        long = side == "BUY"
        found = quote(inputs, long=long, notional_usd_e18=notional * E18 // 1)
        if isinstance(found, Unquotable):
            return UnpricedPool(VENUE, pool, side, notional_usd, found.reason)
        middle2, width = found.bid_e10 + found.ask_e10, found.ask_e10 - found.bid_e10
        worse = found.fill_e10 - found.ask_e10 if long else found.bid_e10 - found.fill_e10
        return PricedPool(
            VENUE,
            pool,
            side,
            notional_usd,
            Decimal(f"{found.fill_e10}E-{PRICE_DECIMALS}"),
            Decimal(f"{found.fee_bps_e8}E-8"),
            exact.decimal(Fraction(width * BPS, middle2), BPS_DECIMALS, "up"),
            exact.decimal(Fraction(2 * worse * BPS, middle2), BPS_DECIMALS, "up"),
            execution_fee_usd=EXECUTION_FEE_USD,
        )

    def ladder(self, inputs: Sequence[Pool], notional_usd: Floats) -> LadderArrays:
        marks = np.array([float(pool.mark_e10) for pool in inputs])
        return price_rows(marks, [pool.state.row for pool in inputs], notional_usd)


ECONOMICS: Final = GainsEconomics()
