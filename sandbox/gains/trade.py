"""One open position and how the venue writes it."""

from dataclasses import dataclass
from typing import Any, Final

from sandbox.gains.interest import truncated

_NO_FEES: Final = {
    "realizedPnlCollateral": "0",
    "manuallyRealizedNegativePnlCollateral": "0",
    "alreadyTransferredNegativePnlCollateral": "0",
    "virtualAvailableCollateralInDiamond": "0",
}
_NO_REALIZED_PNL: Final = {
    "realizedOldBorrowingFeesCollateral": "0",
    "realizedNewBorrowingFeesCollateral": "0",
    "realizedFundingFeesCollateral": "0",
    "realizedPnlPartialCloseCollateral": "0",
    "pnlWithdrawnCollateral": "0",
}


@dataclass(slots=True)
class Trade:
    """Amounts are in token units, prices times 1e10, leverage times 1e3."""

    user: str
    index: int
    pair_index: int
    collateral_index: int
    leverage_e3: int
    long: bool
    collateral: int
    open_price_e10: int
    tokens: int
    sl_e10: int
    fee: int
    block: int
    sl_block: int
    opened_s: int
    collateral_price_e8: int
    funding_acc: str
    liquidation: dict[str, str]

    @property
    def size_collateral(self) -> int:
        return self.collateral * self.leverage_e3 // 1000

    def profit_p_e10(self, price_e10: int) -> int:
        """Percent of the collateral gained, not below -100."""
        moved = price_e10 - self.open_price_e10
        signed = (moved if self.long else -moved) * self.leverage_e3 * 10**9
        return max(-(10**12), truncated(signed, self.open_price_e10))

    def shown(self, *, last_oi_update: str | int) -> dict[str, Any]:
        """The container of registerTrade, updateTrade and ``/open-trades``."""
        return {
            "trade": {
                "user": self.user,
                "index": str(self.index),
                "pairIndex": str(self.pair_index),
                "leverage": str(self.leverage_e3),
                "long": self.long,
                "isOpen": True,
                "collateralIndex": str(self.collateral_index),
                "tradeType": "0",
                "collateralAmount": str(self.collateral),
                "openPrice": str(self.open_price_e10),
                "tp": "0",
                "sl": str(self.sl_e10),
                "isCounterTrade": False,
                "positionSizeToken": str(self.tokens),
            },
            "tradeInfo": {
                "createdBlock": str(self.block),
                "tpLastUpdatedBlock": str(self.block),
                "slLastUpdatedBlock": str(self.sl_block),
                "maxSlippageP": "0",
                "lastOiUpdateTs": last_oi_update,
                "collateralPriceUsd": str(self.collateral_price_e8),
                "contractsVersion": "2",
                "lastPosIncreaseBlock": str(self.block),
            },
            "liquidationParams": self.liquidation,
            "initialAccFees": {"accPairFee": "0", "accGroupFee": "0", "block": str(self.block)},
            "tradeFeesData": {
                "realizedTradingFeesCollateral": str(self.fee),
                **_NO_FEES,
                "initialAccFundingFeeP": self.funding_acc,
                "initialAccBorrowingFeeP": "0",
            },
            "uiRealizedPnlData": {
                "realizedTradingFeesCollateral": str(self.fee),
                **_NO_REALIZED_PNL,
            },
        }

    def as_struct(self, *, is_open: bool) -> list[Any]:
        """The Solidity tuple as events carry it: an array of strings and booleans."""
        return [
            self.user,
            str(self.index),
            str(self.pair_index),
            str(self.leverage_e3),
            self.long,
            is_open,
            str(self.collateral_index),
            "0",
            str(self.collateral),
            str(self.open_price_e10),
            "0",
            str(self.sl_e10),
            False,
            str(self.tokens),
            "0",
        ]
