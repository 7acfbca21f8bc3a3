"""Open trades of an account, from the diamonds. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connectors.base.abi import named
from connectors.base.orders import Call
from connectors.base.positions import OpenPosition
from connectors.gains.constants import VENUE
from connectors.gains.economics.position import Ledger
from connectors.gains.orders.abi import FUNCTIONS
from connectors.gains.orders.calls import TradeType
from connectors.gains.orders.reads import StoredTrade, stored_trade
from connectors.gains.orders.tables import Tables
from domain.errors import VenueProtocolError
from domain.orders import PositionSide

_VIEWS: Final = ("getTrades", "getTradeInfos")
_FEES: Final = "getTradeFeesData"


class GainsPositions:
    """See ``PositionBook``. Trades of a pair or in a collateral that nobody knows here are left
    out: nothing could be done with them."""

    venue = VENUE

    def __init__(self, tables: Tables) -> None:
        self._deployments = tables.deployments
        self._markets = {pair.index: market for market, pair in tables.pairs.items()}

    def calls(self, chain_id: int, owner: str) -> Sequence[Call]:
        found = self._deployments.get(chain_id)
        return [] if found is None else [
            Call(found.diamond, FUNCTIONS[view].encode(owner)) for view in _VIEWS
        ]  # fmt: skip

    def read(
        self, chain_id: int, owner: str, answers: Sequence[bytes | None]
    ) -> Sequence[OpenPosition]:
        del owner
        trades, infos = (
            _listed(view, answer) for view, answer in zip(_VIEWS, answers, strict=True)
        )
        if len(trades) != len(infos):
            raise VenueProtocolError("BAD_ANSWER", "trades and what belongs to them differ")
        rows = (stored_trade(*row) for row in zip(trades, infos, strict=True))
        return list(self._open(chain_id, (row for row in rows if row is not None)))

    def _open(self, chain_id: int, trades: Iterator[StoredTrade]) -> Iterator[OpenPosition]:
        for trade in trades:
            token = self._deployments[chain_id].by_index(trade.collateral_index)
            market = self._markets.get(trade.pair_index)
            # Orders that rest are listed too.
            if token is None or market is None or trade.trade_type is not TradeType.TRADE:
                continue
            side: PositionSide = "LONG" if trade.long else "SHORT"
            pool = f"{chain_id}:{token.symbol}"
            yield OpenPosition(VENUE, chain_id, str(trade.index), pool, market, side, trade)

    def details(self, positions: Sequence[OpenPosition], owner: str) -> Sequence[Call]:
        view = FUNCTIONS[_FEES]
        return [
            Call(self._deployments[item.chain_id].diamond, view.encode(owner, item.stored.index))
            for item in positions
        ]

    def detailed(self, position: OpenPosition, answers: Sequence[bytes | None]) -> OpenPosition:
        (data,) = answers
        return position if data is None else replace(position, details=_ledger(_read(_FEES, data)))


def _ledger(row: Mapping[str, Any]) -> Ledger:
    return Ledger(
        realized_fees=row["realizedTradingFeesCollateral"],
        realized_pnl=row["realizedPnlCollateral"],
        manual_negative_pnl=row["manuallyRealizedNegativePnlCollateral"],
        transferred_negative_pnl=row["alreadyTransferredNegativePnlCollateral"],
        virtual_available=row["virtualAvailableCollateralInDiamond"],
    )


def _listed(view: str, data: bytes | None) -> Sequence[Any]:
    if data is None:
        raise VenueProtocolError("BAD_ANSWER", f"the chain did not answer for {view}")
    rows: Sequence[Any] = _read(view, data)
    return rows


def _read(view: str, data: bytes) -> Any:
    function = FUNCTIONS[view]
    return next(iter(named(function.outputs, function.decode_result(data)).values()))
