"""Trades and pending orders of the sandbox's diamond, as it tells them to the keeper, and what the
keeper tells it. Pure; scales of the contract."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

MARKET_OPEN: Final = 0
MARKET_CLOSE: Final = 1
LIMIT_OPEN: Final = 2
STOP_OPEN: Final = 3
TP_CLOSE: Final = 4
SL_CLOSE: Final = 5
LIQ_CLOSE: Final = 6
UPDATE_LEVERAGE: Final = 7
PARTIAL_OPEN: Final = 8
PARTIAL_CLOSE: Final = 9
PNL_WITHDRAWAL: Final = 11

# ``tradeType``
POSITION: Final = 0
LIMIT: Final = 1
STOP: Final = 2

LEAVE, ADD, REPLACE, CLOSE = range(4)

TRADE: Final = (
    "(address,uint32,uint16,uint24,bool,bool,uint8,uint8,uint120,uint64,uint64,uint64,bool,uint160,"
    "uint24)"
)
INFO: Final = "(uint32,uint32,uint32,uint16,uint48,uint48,uint8,uint32,uint8)"
ID: Final = "(address,uint32)"
_ORDER: Final = f"({TRADE},address,uint32,bool,uint8,uint32,uint16)"
_FEES: Final = "(uint128,int128,uint128,uint128,uint128,uint128,int128,uint128)"
_ACCOUNT: Final = f"(address,uint256,uint32,{TRADE}[],{INFO}[],{_FEES}[],{_ORDER}[])"
_LOG: Final = "(bytes32[],bytes)"
_SETTLEMENT: Final = (
    f"(address,uint256,bool,uint32,uint8,{TRADE},{INFO},int128,int128,uint256,{_LOG}[])[]"
)
_WORD: Final = 32
_REMEMBERED: Final = 512
_ACCOUNTS_CALL: Final = keccak(text="accounts(uint256,uint256)")[:4]
_SETTLE_CALL: Final = keccak(text=f"settle({_SETTLEMENT})")[:4]


@dataclass(frozen=True, slots=True)
class Trade:
    """Fields in the order of the contract."""

    user: str
    index: int
    pair_index: int
    leverage: int
    long: bool
    is_open: bool
    collateral_index: int
    trade_type: int
    collateral: int
    open_price: int
    tp: int
    sl: int
    is_counter: bool
    tokens: int
    placeholder: int = 0

    @property
    def size(self) -> int:
        """In units of the collateral."""
        return self.collateral * self.leverage // 1000


@dataclass(frozen=True, slots=True)
class Info:
    """Fields in the order of the contract."""

    created_block: int
    tp_block: int
    sl_block: int
    max_slippage_p: int
    last_oi_s: int
    collateral_price_usd: int
    contracts_version: int
    last_increase_block: int
    placeholder: int = 0


@dataclass(frozen=True, slots=True)
class Holding:
    """A trade or a resting order with what belongs to it; amounts in the collateral."""

    trade: Trade
    info: Info
    realized_fees: int
    realized_pnl: int


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that waits: a pending order, or a trade that a price may trigger. ``holding``: the
    trade it is about, None where it is to be opened; ``order_index`` None for a trigger."""

    user: str
    version: int
    next_index: int
    order_index: int | None
    order_type: int
    asked: Trade
    block: int
    max_slippage_p: int
    holding: Holding | None


@dataclass(frozen=True, slots=True)
class Log:
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Settlement:
    """``action``: one of LEAVE, ADD, REPLACE, CLOSE, with ``trade``; amounts in the collateral."""

    user: str
    version: int
    order_index: int | None
    action: int
    trade: Trade
    info: Info
    logs: tuple[Log, ...]
    fees_delta: int = 0
    pnl_delta: int = 0
    to_trader: int = 0


def accounts_call(start: int, end: int) -> bytes:
    return _ACCOUNTS_CALL + encode(["uint256", "uint256"], [start, end])


def read_accounts(answer: bytes) -> tuple[list[Request], int]:
    """What waits, and how many accounts were told."""
    count = _word(answer, _WORD)
    # An array of what has no fixed length: where each begins, then all of them one after the other.
    rows = answer[2 * _WORD :]
    starts = [_word(rows, place * _WORD) for place in range(count)]
    ends = [*starts, len(rows)][1:]
    found = [_account(rows[start:end]) for start, end in zip(starts, ends, strict=True)]
    return [request for requests in found for request in requests], count


@lru_cache(maxsize=_REMEMBERED)
def _account(raw: bytes) -> tuple[Request, ...]:
    """Decoding takes a millisecond a trade, and of most accounts nothing is new."""
    (row,) = decode([_ACCOUNT], _WORD.to_bytes(_WORD, "big") + raw)
    return tuple(_requests(*row))


def _word(raw: bytes, place: int) -> int:
    return int.from_bytes(raw[place : place + _WORD], "big")


def settle_call(settlements: Sequence[Settlement]) -> bytes:
    return _SETTLE_CALL + encode([_SETTLEMENT], [[_settlement(each) for each in settlements]])


def _settlement(told: Settlement) -> tuple[Any, ...]:
    return (
        told.user,
        told.version,
        told.order_index is not None,
        told.order_index or 0,
        told.action,
        astuple(told.trade),
        astuple(told.info),
        told.fees_delta,
        told.pnl_delta,
        told.to_trader,
        [(log.topics, log.data) for log in told.logs],
    )


def _requests(
    user: str, version: int, next_index: int, trades: Any, infos: Any, fees: Any, orders: Any
) -> list[Request]:
    holdings = {
        trade[1]: Holding(Trade(*trade), Info(*info), fee[0], fee[1])
        for trade, info, fee in zip(trades, infos, fees, strict=True)
    }
    found = [
        Request(
            user=user,
            version=version,
            next_index=next_index,
            order_index=index,
            order_type=kind,
            asked=Trade(*asked),
            block=block,
            max_slippage_p=slippage,
            holding=None if kind == MARKET_OPEN else holdings.get(asked[1]),
        )
        for asked, _, index, _, kind, block, slippage in orders
    ]
    busy = {each.asked.index for each in found if each.order_type != MARKET_OPEN}
    found += [
        Request(
            user=user,
            version=version,
            next_index=next_index,
            order_index=None,
            order_type=_RESTING.get(holding.trade.trade_type, LIQ_CLOSE),
            asked=holding.trade,
            block=holding.info.created_block,
            max_slippage_p=holding.info.max_slippage_p,
            holding=holding,
        )
        for index, holding in holdings.items()
        if index not in busy
    ]
    return found


_RESTING: Final = {LIMIT: LIMIT_OPEN, STOP: STOP_OPEN}
