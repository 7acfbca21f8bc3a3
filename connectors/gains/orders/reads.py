"""What has to be asked of the chain before an order, and the answers by name. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.base import erc20
from connectors.base.abi import named
from connectors.base.orders import Call, Cancel, ChainFacts, OrderRequest, Update
from connectors.gains.orders.abi import FUNCTIONS
from connectors.gains.orders.calls import TradeIndex, TradeType
from connectors.gains.orders.events import OrderType
from connectors.gains.orders.outcomes import ORDER, REQUEST, STOP_LOSS, TAKE_PROFIT
from connectors.gains.orders.tables import Tables
from domain.errors import InputError, InvariantViolation, VenueProtocolError
from domain.orders import OrderLeg

KINDS: Final = (ORDER, REQUEST, TAKE_PROFIT, STOP_LOSS)

_WORD: Final = 32
_COUNTED_BY_ARB_SYS: Final = (42161, 421614)
_ARB_SYS: Final = "0x0000000000000000000000000000000000000064"
_ARB_BLOCK_NUMBER: Final = bytes.fromhex("a3b1b31d")
"""Source: ArbSys.arbBlockNumber(), which the diamond counts blocks with on these chains."""

PAUSED: Final = 2
"""Of ``getTradingActivated``: 0 takes everything, 1 takes closes and cancels.

Source: ITradingStorage.TradingActivated."""


@dataclass(frozen=True, slots=True)
class StoredTrade:
    """A position or a resting order. ``max_slippage_e3``: of its closing, or of the order."""

    index: TradeIndex
    pair_index: int
    collateral_index: int
    long: bool
    trade_type: TradeType
    collateral: int
    leverage_e3: int
    price_e10: int
    tp_e10: int
    sl_e10: int
    max_slippage_e3: int


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request that waits for its answer. ``trade``: the index it is about, meaningless of an
    opening."""

    type: OrderType
    trade: TradeIndex
    created_block: int


def reference(refs: Mapping[str, str]) -> tuple[str, int]:
    """Which order is meant: its kind and number. Raises InputError ``BAD_REFS``."""
    found = [(kind, refs[kind]) for kind in KINDS if kind in refs]
    if len(found) != 1 or not found[0][1].isdecimal():
        raise InputError("BAD_REFS", "nothing says which order of Gains is meant")
    return found[0][0], int(found[0][1])


def position(leg: OrderLeg) -> TradeIndex:
    """Raises InputError ``POSITION``."""
    if leg.position_ref is None or not leg.position_ref.isdecimal():
        raise InputError("POSITION", "nothing says which position of Gains is meant")
    return TradeIndex(int(leg.position_ref))


def calls(tables: Tables, request: OrderRequest) -> Mapping[str, Call]:
    """By name, in an order that depends on the request alone. Raises InputError."""
    leg, owner = request.leg, request.owner
    diamond = tables.deployment(leg).diamond

    def view(function: str, *arguments: object) -> Call:
        return Call(diamond, FUNCTIONS[function].encode(*arguments))

    def trade(index: int) -> dict[str, Call]:
        return {
            "trade": view("getTrade", owner, index),
            "info": view("getTradeInfo", owner, index),
        }

    found = {"activated": view("getTradingActivated")}
    if isinstance(request, Cancel | Update):
        kind, index = reference(request.refs)
        if kind == REQUEST:
            found["request"] = view("getPendingOrder", (owner, index))
            found["timeout"] = view("getMarketOrdersTimeoutBlocks")
            if leg.chain_id in _COUNTED_BY_ARB_SYS:
                found["block"] = Call(_ARB_SYS, _ARB_BLOCK_NUMBER)
        else:
            found |= trade(index)
        return found
    token = tables.posted(leg).token
    found["collateral"] = view("getCollateral", token.index)
    found["collateral_price"] = view("getCollateralPriceUsd", token.index)
    if request.intent.intent != "open":
        found |= trade(position(leg))
        found["requests"] = view("getPendingOrders", owner)
    if not request.intent.reduces:
        pair = tables.pair(request.intent.market).index
        found["min_leverage"] = view("pairMinLeverage", pair)
        found["max_leverage"] = view("pairMaxLeverage", pair)
        found["balance"] = erc20.balance_call(token.address, owner)
        found["allowance"] = erc20.allowance_call(token.address, owner, diamond)
    return found


VIEWS: Final = {
    "activated": "getTradingActivated",
    "request": "getPendingOrder",
    "timeout": "getMarketOrdersTimeoutBlocks",
    "trade": "getTrade",
    "info": "getTradeInfo",
    "collateral": "getCollateral",
    "collateral_price": "getCollateralPriceUsd",
    "requests": "getPendingOrders",
    "min_leverage": "pairMinLeverage",
    "max_leverage": "pairMaxLeverage",
}


class Answers:
    """By name; an answer that is missing or cannot be read raises VenueProtocolError
    ``BAD_ANSWER``."""

    def __init__(self, tables: Tables, request: OrderRequest, facts: ChainFacts) -> None:
        names = list(calls(tables, request))
        if len(names) != len(facts.answers) or facts.chain_id != request.leg.chain_id:
            raise InvariantViolation("BAD_FACTS", "facts of another request, or of another chain")
        self._found = dict(zip(names, facts.answers, strict=True))

    def units(self, name: str) -> int:
        """A balance or an allowance."""
        return int(self._try(name, erc20.amount))

    def value(self, name: str) -> Any:
        function = FUNCTIONS[VIEWS[name]]

        def read(data: bytes) -> Any:
            values = function.decode_result(data)
            return next(iter(named(function.outputs, values).values()))

        return self._try(name, read)

    def block(self, height: int) -> int:
        """What the diamond has for the number of the block; ``height`` where nothing else counts,
        as on a chain without the precompile."""
        data = self._found.get("block")
        return int.from_bytes(data) if data is not None and len(data) == _WORD else height

    def trade(self) -> StoredTrade | None:
        """None where there is none, or none any more."""
        return stored_trade(self.value("trade"), self.value("info"))

    def request(self) -> StoredRequest | None:
        """None where it was answered or taken back."""
        raw = self.value("request")
        return _stored_request(raw) if raw["isOpen"] else None

    def requests(self) -> list[StoredRequest]:
        """All of the owner that wait."""
        return [_stored_request(raw) for raw in self.value("requests") if raw["isOpen"]]

    def _try(self, name: str, read: Callable[[bytes], Any]) -> Any:
        data = self._found.get(name)
        if data is None:
            raise VenueProtocolError("BAD_ANSWER", f"the chain did not answer for {name}")
        try:
            return read(data)
        except InputError as error:
            raise VenueProtocolError("BAD_ANSWER", f"{name}: {error.message}") from None


def stored_trade(raw: Mapping[str, Any], info: Mapping[str, Any]) -> StoredTrade | None:
    """Of ``getTrade`` and ``getTradeInfo``; None where there is none, or none any more. Raises
    VenueProtocolError ``BAD_ANSWER``."""
    if not raw["isOpen"]:
        return None
    try:
        kind = TradeType(raw["tradeType"])
    except ValueError:
        raise VenueProtocolError("BAD_ANSWER", f"type {raw['tradeType']} of a trade") from None
    return StoredTrade(
        index=TradeIndex(raw["index"]),
        pair_index=raw["pairIndex"],
        collateral_index=raw["collateralIndex"],
        long=raw["long"],
        trade_type=kind,
        collateral=raw["collateralAmount"],
        leverage_e3=raw["leverage"],
        price_e10=raw["openPrice"],
        tp_e10=raw["tp"],
        sl_e10=raw["sl"],
        max_slippage_e3=info["maxSlippageP"],
    )


def _stored_request(raw: Mapping[str, Any]) -> StoredRequest:
    try:
        kind = OrderType(raw["orderType"])
    except ValueError:
        raise VenueProtocolError("BAD_ANSWER", f"type {raw['orderType']} of a request") from None
    return StoredRequest(kind, TradeIndex(raw["trade"]["index"]), raw["createdBlock"])
