"""What changes of a trade book on it."""

from dataclasses import replace

from connectors.gains.economics.position import Ledger
from connectors.gains.economics.scales import rounded_up


def with_holding_fees(ledger: Ledger, collateral_amount: int, holding_fees: int) -> Ledger:
    """Pending holding fees realized: charged to the collateral as far as it goes, the rest to the
    PnL, as is income. Source: FundingFeesUtils.realizeHoldingFeesOnOpenTrade, v10.2."""
    if holding_fees <= 0:
        return replace(ledger, realized_pnl=ledger.realized_pnl - holding_fees)
    charged = min(holding_fees, ledger.available(collateral_amount))
    return replace(
        ledger,
        realized_fees=ledger.realized_fees + charged,
        realized_pnl=ledger.realized_pnl - (holding_fees - charged),
    )


def with_trading_fee(ledger: Ledger, collateral_amount: int, fee: int) -> Ledger:
    """A trading fee realized; what the collateral does not cover comes from the vault and counts
    against the PnL. Source: FundingFeesUtils.realizeTradingFeesOnOpenTrade, v10.2."""
    lent = max(fee - ledger.available(collateral_amount), 0)
    return replace(
        ledger,
        realized_fees=ledger.realized_fees + fee - lent,
        realized_pnl=ledger.realized_pnl - lent,
    )


def with_virtual_collateral(ledger: Ledger, collateral_amount: int) -> Ledger:
    """Made up for where the contract would hold less than nothing of a smaller collateral.

    Source: FundingFeesUtils.storeVirtualAvailableCollateralInDiamond, v10.2.
    """
    capped = replace(ledger, manual_negative_pnl=min(ledger.manual_negative_pnl, collateral_amount))
    missing = max(-capped.available(collateral_amount), 0)
    return replace(capped, virtual_available=capped.virtual_available + missing)


def downscaled(ledger: Ledger, removed: int, whole: int, collateral_amount: int) -> Ledger:
    """After ``removed`` of the ``whole`` size was closed with its share of the collateral.

    Every part is rounded against the trader.
    Source: FundingFeesUtils.downscaleTradeFeesData, v10.2.
    """
    pnl = ledger.realized_pnl
    if pnl > 0:
        pnl -= rounded_up(removed, pnl, whole)
    else:
        pnl += removed * -pnl // whole
    scaled = Ledger(
        realized_fees=ledger.realized_fees - removed * ledger.realized_fees // whole,
        realized_pnl=pnl,
        manual_negative_pnl=ledger.manual_negative_pnl
        - removed * ledger.manual_negative_pnl // whole,
        transferred_negative_pnl=ledger.transferred_negative_pnl
        - removed * ledger.transferred_negative_pnl // whole,
        virtual_available=ledger.virtual_available
        - rounded_up(removed, ledger.virtual_available, whole),
    )
    return with_virtual_collateral(scaled, collateral_amount)
