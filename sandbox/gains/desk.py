"""The keeper's desk for gTrade on one chain. Pure: time is an argument."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sandbox.chain.desk import Desk, Instructions, Now
from sandbox.chain.places import CONTRACTS, KEEPER
from sandbox.gains import execution, updates
from sandbox.gains.catalogue import Collateral, Pair
from sandbox.gains.chain import Chain
from sandbox.gains.execution import At
from sandbox.gains.feed import PriceFeed
from sandbox.gains.interest import E10
from sandbox.gains.pricing import Terms
from sandbox.gains.requests import (
    LIMIT_OPEN,
    MARKET_CLOSE,
    MARKET_OPEN,
    PARTIAL_CLOSE,
    PARTIAL_OPEN,
    PNL_WITHDRAWAL,
    STOP_OPEN,
    UPDATE_LEVERAGE,
    Holding,
    Request,
    Settlement,
    Trade,
    accounts_call,
    read_accounts,
    settle_call,
)

# A trigger that was refused is tried again after this.
_TRIGGER_PAUSE_NS: Final = 10_000_000_000
_PRICE_CALL: Final = keccak(text="setCollateralPrice(uint8,uint256)")[:4]
# The contract is told the price of a token when it is off by this part.
_PRICE_PART: Final = 0.002

_Change = Callable[[Request, Holding, Terms, At], Settlement]
_CHANGES: Final[Mapping[int, _Change]] = {
    MARKET_CLOSE: execution.close_market,
    UPDATE_LEVERAGE: updates.update_leverage,
    PARTIAL_OPEN: updates.increase,
    PARTIAL_CLOSE: updates.decrease,
    PNL_WITHDRAWAL: updates.withdraw_pnl,
}


class ReplicaOracle:
    """Prices and interest as the replica has them."""

    def __init__(self, chain: Chain, feed: PriceFeed) -> None:
        self._chain = chain
        self._feed = feed
        self._collaterals = {each.index: each for each in chain.spec.collaterals}

    def terms(self, trade: Trade) -> Terms | None:
        collateral = self._collaterals.get(trade.collateral_index)
        mark = self._feed.mark(trade.pair_index)
        if collateral is None or mark is None:
            return None
        interest = self._chain.interests.get(collateral.index, {}).get(trade.pair_index)
        if interest is None:
            return None
        pair: Pair = self._chain.pairs[trade.pair_index]
        fee: Mapping[str, Any] = self._chain.parameters["fees"][int(pair.fee_index)]
        return Terms(
            pair=pair,
            collateral=collateral,
            interest=interest,
            oracle=round(mark * E10),
            collateral_price_usd_e8=self.price_e8(collateral),
            fee_p=int(fee["totalPositionSizeFeeP"]),
            least_usd_e18=int(fee["minPositionSizeUsd"]) * 10**15,
        )

    def price_e8(self, collateral: Collateral) -> int:
        return round(self._chain.collateral_price(collateral) * 10**8)

    def prices(self) -> list[tuple[int, int]]:
        """Collateral index and price in USD with 8 decimals, of those that move."""
        return [
            (index, self.price_e8(each))
            for index, each in self._collaterals.items()
            if each.price_usd is None
        ]


class GainsDesk(Desk[Request]):
    def __init__(self, chain_id: int, oracle: ReplicaOracle) -> None:
        super().__init__(CONTRACTS[chain_id]["GAINS_DIAMOND"])
        self._oracle = oracle
        self._triggers = 0
        self._pauses: dict[tuple[object, ...], int] = {}
        self._prices: dict[int, int] = {}

    def page_call(self, start: int, end: int) -> bytes:
        return accounts_call(start, end)

    def read_page(self, answer: bytes) -> tuple[list[Request], int]:
        return read_accounts(answer)

    def identify(self, entry: Request) -> tuple[object, ...]:
        return entry.user, entry.order_index, entry.asked

    def owner(self, entry: Request) -> tuple[str, int]:
        return entry.user, entry.version

    def load(self, entries: list[Request]) -> None:
        super().load(entries)
        known = {self.identify(entry) for entry in entries}
        self._pauses = {key: until for key, until in self._pauses.items() if key in known}

    def forget(self) -> None:
        super().forget()
        self._prices.clear()

    def turn(self, now: Now, instructions: Instructions) -> list[bytes]:
        return [*self._new_prices(), *super().turn(now, instructions)]

    def decide(self, entry: Request, now: Now, instructions: Instructions) -> bytes | None:
        if instructions.mode == "freeze":
            return None
        refuses = instructions.mode == "cancel"
        at = At(now.block, now.s, KEEPER, self._triggers, refuses)
        if entry.order_index is None:
            settlements = self._triggered(entry, now, at)
        else:
            settlements = self._requested(entry, at)
        return settle_call(settlements) if settlements else None

    def _requested(self, request: Request, at: At) -> list[Settlement]:
        """A closed market has no price: the request waits, until its owner takes it back."""
        terms = self._oracle.terms(request.asked)
        if terms is None:
            return []
        if request.order_type == MARKET_OPEN:
            return [execution.open_market(request, terms, at)]
        if request.holding is None:
            return [execution.without_trade(request)]
        return [_CHANGES[request.order_type](request, request.holding, terms, at)]

    def _triggered(self, request: Request, now: Now, at: At) -> list[Settlement]:
        holding, key = request.holding, self.identify(request)
        terms = self._oracle.terms(request.asked)
        if holding is None or terms is None or self._pauses.get(key, 0) > now.mono_ns:
            return []
        if request.order_type in (LIMIT_OPEN, STOP_OPEN):
            if not execution.rests_triggered(request.asked, request.order_type, terms):
                return []
            settlements = execution.open_resting(request, terms, at)
        else:
            kind = execution.triggered(holding, terms)
            if kind is None:
                return []
            settlements = [execution.close_triggered(request, holding, kind, terms, at)]
        self._triggers += 1
        self._pauses[key] = now.mono_ns + _TRIGGER_PAUSE_NS
        return settlements

    def _new_prices(self) -> list[bytes]:
        calls = []
        for index, price in self._oracle.prices():
            told = self._prices.get(index, 0)
            if abs(price - told) > told * _PRICE_PART:
                self._prices[index] = price
                calls.append(_PRICE_CALL + encode(["uint8", "uint256"], [index, price]))
        return calls
