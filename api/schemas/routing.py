"""Routes and guarded quotes."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field

from api.schemas.base import (
    AMOUNT,
    DecimalText,
    Instant,
    Read,
    Said,
    Told,
    amount,
    anchored,
    matching,
    one_of,
    refused,
)
from domain.costs import OrderSide
from domain.orders import OrderType, TimeInForce, TradeIntent
from domain.splits import MAX_LEGS

MAX_USD: Final = 100_000_000
MAX_HOURS: Final = 8760
MAX_LISTED: Final = 16
NAME: Final = "[A-Za-z0-9._:-]{1,80}"


def _amount(value: Any) -> Decimal:
    return amount(
        value, "BAD_AMOUNT", "a plain decimal, up to 18 digits before and after the point"
    )


def _usd(value: Any) -> Decimal:
    found = _amount(value)
    if found > MAX_USD:
        raise refused("OUT_OF_RANGE", f"at most {MAX_USD}")
    return found


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise refused("WRONG_TYPE", "expected a JSON boolean")
    return value


def _listed(of: Callable[[Any], str]) -> Callable[[Any], frozenset[str]]:
    def read(value: Any) -> frozenset[str]:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_LISTED:
            raise refused("BAD_LIST", f"a list of 1 to {MAX_LISTED}")
        return frozenset(of(item) for item in value)

    return read


def _chain(value: Any) -> str:
    """A number, or the name of a Cosmos chain."""
    if type(value) is int and 0 < value < 1 << 53:
        return str(value)
    return str(_NAME.read(value))


def _hours(value: Any) -> Decimal:
    hours = Decimal(value) if type(value) is int else _amount(value)
    if not 0 <= hours <= MAX_HOURS:
        raise refused("OUT_OF_RANGE", f"from 0 to {MAX_HOURS}")
    return hours


def whole(least: int, most: int) -> Callable[[Any], int]:
    """An integer from ``least`` to ``most``."""

    def read(value: Any) -> int:
        if type(value) is not int:
            raise refused("WRONG_TYPE", "expected a JSON integer")
        if not least <= value <= most:
            raise refused("OUT_OF_RANGE", f"from {least} to {most}")
        return value

    return read


def _if_any(of: Read) -> Read:
    """The same, or null."""
    schema = {"anyOf": [of.schema, {"type": "null"}]}
    return Read(lambda value: None if value is None else of.read(value), schema)


_LAST_S: Final = 2**32 - 1
_LIST: Final = {"type": "array", "minItems": 1, "maxItems": MAX_LISTED}
_NAME: Final = matching(NAME, "BAD_NAME", "at most 80 letters, digits and ._:-")
_AMOUNT: Final = Read(
    _amount, {"type": "string", "pattern": anchored(AMOUNT), "examples": ["1000"]}
)
_USD: Final = Read(_usd, _AMOUNT.schema)
_FLAG: Final = Read(_flag, {"type": "boolean"})
_NAMES: Final = Read(_listed(lambda item: str(_NAME.read(item))), {**_LIST, "items": _NAME.schema})
_CHAINS: Final = Read(
    _listed(_chain),
    {**_LIST, "items": {"anyOf": [_NAME.schema, {"type": "integer", "minimum": 1}]}},
)
_HOURS: Final = Read(
    _hours,
    {"anyOf": [_AMOUNT.schema, {"type": "integer", "minimum": 0, "maximum": MAX_HOURS}]},
)
_LEGS: Final = Read(whole(1, MAX_LEGS), {"type": "integer", "minimum": 1, "maximum": MAX_LEGS})
_SECONDS: Final = Read(whole(1, _LAST_S), {"type": "integer", "minimum": 1, "maximum": _LAST_S})
_ROUTE_ID: Final = matching("[A-Za-z0-9._:-]{1,200}", "BAD_NAME", "no route_id")

NameIfAny = Annotated[str | None, _if_any(_NAME)]
AmountIfAny = Annotated[Decimal | None, _if_any(_AMOUNT)]
UsdIfAny = Annotated[Decimal | None, _if_any(_USD)]
NamesIfAny = Annotated[frozenset[str] | None, _if_any(_NAMES)]
ChainsIfAny = Annotated[frozenset[str] | None, _if_any(_CHAINS)]
HoursIfAny = Annotated[Decimal | None, _if_any(_HOURS)]
SecondsIfAny = Annotated[int | None, _if_any(_SECONDS)]
RouteIdIfAny = Annotated[str | None, _if_any(_ROUTE_ID)]
Name = Annotated[str, _NAME]
Amount = Annotated[Decimal, _AMOUNT]
Flag = Annotated[bool, _FLAG]
Legs = Annotated[int, _LEGS]


class CollateralBody(Said):
    symbol: NameIfAny = Field(default=None, examples=["USDC"])
    amount: AmountIfAny = None


class RouteBody(Said):
    """What is to be traded."""

    market: Name = Field(examples=["BTC-USD"])
    side: Annotated[OrderSide, one_of(get_args(OrderSide), "UNKNOWN_SIDE")]
    intent: Annotated[TradeIntent, one_of(get_args(TradeIntent), "UNKNOWN_INTENT")]
    type: Annotated[OrderType, one_of(get_args(OrderType), "UNKNOWN_TYPE")]
    position_id: NameIfAny = Field(
        default=None,
        description="which one is changed: venue, chain and the venue's name",
        examples=["gains:42161:7"],
    )
    size_base: AmountIfAny = Field(default=None, description="or notional_usd")
    notional_usd: UsdIfAny = Field(default=None, description=f"at most {MAX_USD}")
    leverage: AmountIfAny = Field(default=None, description="or collateral.amount")
    collateral: CollateralBody | None = None
    limit_price: AmountIfAny = None
    trigger_price: AmountIfAny = None
    time_in_force: Annotated[
        TimeInForce, one_of(get_args(TimeInForce), "UNKNOWN_TIME_IN_FORCE")
    ] = "GTC"
    good_til: SecondsIfAny = Field(default=None, description="of GTT: seconds since 1970")
    post_only: Flag = False
    reduce_only: Flag = False
    take_profit: AmountIfAny = None
    stop_loss: AmountIfAny = None
    slippage_bps: Amount = Decimal(50)
    venues: NamesIfAny = None
    chain_ids: ChainsIfAny = None
    holding_hours: HoursIfAny = Field(default=None, description="funding and borrowing for so long")
    max_legs: Legs = 1


class QuoteBody(RouteBody):
    """``route_id``: of ``routes``; without it the best split over at most ``max_legs``."""

    route_id: RouteIdIfAny = None


class QuotePath(Said):
    id: Annotated[
        str, matching("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "NO_ID", "no id of a quote")
    ]


class Guard(Told):
    field: str = Field(description="of the venue", examples=["acceptablePrice"])
    price: DecimalText | None = Field(description="the fill is never worse; null: any price")
    raw: str = Field(description="as the venue is told it")


class CostLine(Told):
    code: Literal[
        "fee", "spread", "impact", "gas", "execution_fee", "funding", "borrowing", "service_fee"
    ] = Field(description="service_fee: of this server, beside the trade; only where there is one")
    usd: DecimalText
    bps: DecimalText
    refundable_usd: DecimalText = Field(description="comes back; in no total")


class Need(Told):
    """``needed`` and ``available``: units of ``symbol``."""

    code: Literal["ALLOWANCE", "BALANCE", "GAS", "LINK_WALLET"]
    symbol: str | None
    token: str | None = Field(description="address; null: the chain's own coin")
    spender: str | None = Field(description="of ALLOWANCE: who has to be allowed")
    needed: DecimalText | None
    available: DecimalText | None


class RoutePosition(Told):
    """What an order changes."""

    position_id: str = Field(examples=["gains:42161:7"])
    source: Literal["chain", "fills"] = Field(
        description="the venue's contract, or where no node answers the account's own fills"
    )
    size_base: DecimalText
    entry_price: DecimalText
    collateral_amount: DecimalText | None


class RouteRow(Told):
    route_id: str
    venue: str
    chain_id: int | str
    pool: str | None
    collateral: str
    collateral_amount: DecimalText | None
    size_base: DecimalText
    notional_usd: DecimalText
    expected_price: DecimalText
    guard: Guard
    costs: list[CostLine]
    unknown_costs: list[str] = Field(description="in no total, because nobody can say")
    all_in_bps: DecimalText = Field(description="of the notional, without funding and borrowing")
    total_cost_usd: DecimalText
    liquidation_price: DecimalText | None
    position: RoutePosition | None = Field(description="that is changed; null where not known")
    needs: list[Need] = Field(description="of the wallet that asks")
    needs_known: bool = Field(description="false: nobody asked, or the chain did not answer")


class ExcludedRow(Told):
    venue: str
    chain_id: int | str | None
    pool: str | None
    code: str
    message: str


class ShareRow(Told):
    route_id: str
    share_bps: int


class BestReason(Told):
    """Why that one: the cheapest of all, or of those that the wallet can pay for."""

    code: Literal["CHEAPEST", "PAYABLE"]
    message: str


class Routes(Told):
    as_of: Instant
    reference_price: DecimalText = Field(description="the middle that all is compared with")
    best: str | None = Field(
        description="the first of routes that the wallet lacks no more than an allowance for, "
        "else the first"
    )
    best_reason: BestReason | None = Field(default=None, description="null of older quotes")
    routes: list[RouteRow]
    excluded: list[ExcludedRow]
    split: list[ShareRow]


class GuardedQuote(Told):
    quote_id: str
    expires_at: Instant
    legs: list[RouteRow]
    excluded: list[ExcludedRow]
    decision: Routes | None = Field(description="every route there was; null of older quotes")
