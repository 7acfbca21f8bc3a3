"""Orders and positions of the sandbox's OrderHandler, as it tells them to the keeper. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

MARKET_INCREASE: Final = 2
LIMIT_INCREASE: Final = 3
MARKET_DECREASE: Final = 4
LIMIT_DECREASE: Final = 5
STOP_LOSS_DECREASE: Final = 6
STOP_INCREASE: Final = 8
INCREASES: Final = frozenset((MARKET_INCREASE, LIMIT_INCREASE, STOP_INCREASE))
MARKETS: Final = frozenset((MARKET_INCREASE, MARKET_DECREASE))

_ADDRESSES: Final = "(address,address,address,address,address,address,address,address[])"
_NUMBERS: Final = "(" + ",".join(["uint8"] * 2 + ["uint256"] * 11) + ")"
_ORDER: Final = f"({_ADDRESSES},{_NUMBERS},(bool,bool,bool,bool),bytes32[])"
_POSITION: Final = (
    "((address,address,address),"
    "(uint256,uint256,uint256,int256,uint256,uint256,uint256,uint256,uint256,uint256),(bool))"
)
_PENDING: Final = f"(bytes32,uint256,uint256,{_ORDER},bytes32,{_POSITION})[]"
_PAYMENT: Final = "(address,address,uint256,bool,bool)"
_SETTLEMENT: Final = f"(bytes32,uint256,bool,bytes32,{_POSITION},{_PAYMENT}[],bytes[])[]"
_PENDING_CALL: Final = keccak(text="pending(uint256,uint256)")[:4]
_SETTLE_CALL: Final = keccak(text=f"settle({_SETTLEMENT})")[:4]


@dataclass(frozen=True, slots=True)
class Position:
    """USD with 30 decimals, tokens and collateral in their smallest units."""

    account: str
    market: str
    collateral_token: str
    size_usd: int
    size_tokens: int
    collateral: int
    increased_s: int
    decreased_s: int
    is_long: bool

    def encoded(self) -> tuple[Any, ...]:
        return (
            (self.account, self.market, self.collateral_token),
            (
                *(self.size_usd, self.size_tokens, self.collateral, 0, 0, 0, 0, 0),
                *(self.increased_s, self.decreased_s),
            ),
            (self.is_long,),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """``version``: of its account. ``position``: the one it would change, with its key; all
    zero where there is none."""

    key: bytes
    version: int
    account: str
    receiver: str
    cancellation_receiver: str
    market: str
    token: str
    swap_path: tuple[str, ...]
    order_type: int
    swap_type: int
    size_usd: int
    collateral: int
    trigger: int
    acceptable: int
    fee_wei: int
    min_output: int
    updated_s: int
    valid_from_s: int
    is_long: bool
    unwraps: bool
    is_frozen: bool
    auto_cancel: bool
    position_key: bytes
    position: Position

    @property
    def is_increase(self) -> bool:
        return self.order_type in INCREASES

    @property
    def is_market(self) -> bool:
        return self.order_type in MARKETS


@dataclass(frozen=True, slots=True)
class Payment:
    token: str
    receiver: str
    amount: int
    from_vault: bool
    is_native: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """``position`` None leaves it as it is; one of no size closes it. ``says``: calls of the
    emitter."""

    order: Order
    version: int
    freezes: bool
    position: Position | None
    payments: tuple[Payment, ...]
    says: tuple[bytes, ...]


def pending_call(start: int, end: int) -> bytes:
    return _PENDING_CALL + encode(["uint256", "uint256"], [start, end])


def read_pending(answer: bytes) -> list[Order]:
    (rows,) = decode([_PENDING], answer)
    return [_order(*row) for row in rows]


def settle_call(settlements: Sequence[Settlement]) -> bytes:
    return _SETTLE_CALL + encode([_SETTLEMENT], [[_settlement(each) for each in settlements]])


def _settlement(told: Settlement) -> tuple[Any, ...]:
    order = told.order
    changed = told.position
    return (
        order.key,
        told.version,
        told.freezes,
        bytes(32) if changed is None else order.position_key,
        (order.position if changed is None else changed).encoded(),
        [(p.token, p.receiver, p.amount, p.from_vault, p.is_native) for p in told.payments],
        told.says,
    )


def _order(
    key: bytes, version: int, _created_s: int, order: Any, position_key: bytes, position: Any
) -> Order:
    addresses, numbers, flags, _data = order
    account, receiver, cancellation_receiver, _callback, _ui, market, token, path = addresses
    collateral_token = token
    (_, _, stored_collateral), amounts, (stored_is_long,) = position
    if amounts[0]:
        collateral_token = stored_collateral
    return Order(
        key=key,
        version=version,
        account=account,
        receiver=receiver,
        cancellation_receiver=cancellation_receiver,
        market=market,
        token=token,
        swap_path=tuple(path),
        order_type=numbers[0],
        swap_type=numbers[1],
        size_usd=numbers[2],
        collateral=numbers[3],
        trigger=numbers[4],
        acceptable=numbers[5],
        fee_wei=numbers[6],
        min_output=numbers[8],
        updated_s=numbers[10],
        valid_from_s=numbers[11],
        is_long=flags[0],
        unwraps=flags[1],
        is_frozen=flags[2],
        auto_cancel=flags[3],
        position_key=position_key,
        position=Position(
            account=account,
            market=market,
            collateral_token=collateral_token,
            size_usd=amounts[0],
            size_tokens=amounts[1],
            collateral=amounts[2],
            increased_s=amounts[8],
            decreased_s=amounts[9],
            is_long=stored_is_long if amounts[0] else flags[0],
        ),
    )
