"""What has to be asked of the chain before an order, and the answers by name. Pure."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from connectors.base import erc20
from connectors.base.orders import Call, Cancel, ChainFacts, OrderRequest, Place, Update
from connectors.gmx import constants as c
from connectors.gmx.addresses import address
from connectors.gmx.economics.gas import GasConfig, gas_config
from connectors.gmx.orders import claims, keys, reader
from connectors.gmx.orders.intents import closes_all, is_long, order_type
from connectors.gmx.orders.reader import StoredOrder, StoredPosition
from connectors.gmx.orders.tables import Collateral, Tables, TradedPool
from domain.errors import InputError, InvariantViolation, VenueProtocolError

T = TypeVar("T")

ORDER_KEY: Final = "order_key"
TAKE_PROFIT_KEY: Final = "take_profit_key"
STOP_LOSS_KEY: Final = "stop_loss_key"
ORDER_KEYS: Final = (ORDER_KEY, TAKE_PROFIT_KEY, STOP_LOSS_KEY)
"""Names of what is kept of an order."""


def order_keys(refs: Mapping[str, str]) -> Mapping[str, str]:
    """Of the order and its exits, by name. Raises: InputError ``BAD_REFS`` without any."""
    found = {name: refs[name] for name in ORDER_KEYS if name in refs}
    if not found:
        raise InputError("BAD_REFS", "nothing says which order of GMX is meant")
    return found


def calls(tables: Tables, request: OrderRequest) -> Mapping[str, Call]:
    """By name, in an order that depends on the request alone. Raises: InputError."""
    store = tables.contracts["DATA_STORE"]
    found: dict[str, Call] = {}
    if isinstance(request, Cancel):
        expiry = keys.key("REQUEST_EXPIRATION_TIME")
        found["REQUEST_EXPIRATION_TIME"] = keys.uint_call(store, expiry)
        return found | _order_calls(tables, order_keys(request.refs))
    if isinstance(request, Place) and request.claims:
        return claims.reads(tables, request)
    for name, key in c.GAS_KEYS.items():
        found[name] = keys.uint_call(store, bytes.fromhex(key[2:]))
    pool = tables.pool(request.leg.pool)
    collateral = tables.collateral(pool, request.leg.collateral_symbol)
    if isinstance(request, Update):
        return (
            found
            | _order_calls(tables, order_keys(request.refs))
            | _held(tables, request, pool, collateral)
        )
    found |= _market_calls(tables, request, pool) | _held(tables, request, pool, collateral)
    if not request.intent.reduces:
        found |= _opening_calls(tables, request, pool, collateral)
    elif closes_all(request.intent) and request.intent.type != "market":
        reads = tables.contracts["READER"]
        found["orders"] = reader.account_orders_call(tables.version, reads, store, request.owner)
    return found


def _order_calls(tables: Tables, found: Mapping[str, str]) -> dict[str, Call]:
    reads, store = tables.contracts["READER"], tables.contracts["DATA_STORE"]
    return {
        name: reader.order_call(tables.version, reads, store, key) for name, key in found.items()
    }


def _market_calls(tables: Tables, request: Place, pool: TradedPool) -> dict[str, Call]:
    store, handler = tables.contracts["DATA_STORE"], tables.contracts.get("ORDER_HANDLER")
    found = {
        "IS_MARKET_DISABLED": keys.bool_call(
            store, keys.key("IS_MARKET_DISABLED", ("address",), (pool.market,))
        )
    }
    if handler is not None:
        kind = int(order_type(request.intent))
        types, values = ("address", "uint256"), (handler.lower(), kind)
        feature = keys.key("CREATE_ORDER_FEATURE_DISABLED", types, values)
        found["CREATE_ORDER_FEATURE_DISABLED"] = keys.bool_call(store, feature)
    return found


def _held(
    tables: Tables, request: Place | Update, pool: TradedPool, collateral: Collateral
) -> dict[str, Call]:
    key = position_key(request, pool, collateral)
    reads, store = tables.contracts["READER"], tables.contracts["DATA_STORE"]
    return {"position": reader.position_call(tables.version, reads, store, key)}


def position_key(request: Place | Update, pool: TradedPool, collateral: Collateral) -> str:
    """There is one position for each account, market, collateral token and side.

    Raises: InputError ``POSITION`` where the leg names another.
    """
    long = is_long(request.intent)
    key = keys.position_key(request.owner, pool.market, collateral.token.address, long)
    named = request.leg.position_ref
    if named is not None and named.lower() != key:
        raise InputError("POSITION", "another position than this pool, side and collateral have")
    return key


def _opening_calls(
    tables: Tables, request: Place, pool: TradedPool, collateral: Collateral
) -> dict[str, Call]:
    store, market = tables.contracts["DATA_STORE"], pool.market
    long = is_long(request.intent)
    rising = "MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER"
    found = {
        name: keys.uint_call(store, keys.key(name))
        for name in ("MIN_COLLATERAL_USD", "MIN_POSITION_SIZE_USD")
    }
    found["MIN_COLLATERAL_FACTOR"] = keys.uint_call(
        store, keys.key("MIN_COLLATERAL_FACTOR", ("address",), (market,))
    )
    found[rising] = keys.uint_call(store, keys.key(rising, ("address", "bool"), (market, long)))
    if not collateral.native:
        token, router = address(collateral.token.address), tables.contracts["ROUTER"]
        found["balance"] = erc20.balance_call(token, request.owner)
        found["allowance"] = erc20.allowance_call(token, request.owner, router)
    return found


class Answers:
    """By name; an answer that is missing or cannot be read raises VenueProtocolError
    ``BAD_ANSWER``."""

    def __init__(self, tables: Tables, request: OrderRequest, facts: ChainFacts) -> None:
        names: Sequence[str] = list(calls(tables, request))
        if len(names) != len(facts.answers) or facts.chain_id != tables.chain_id:
            raise InvariantViolation("BAD_FACTS", "facts of another request, or of another chain")
        self._version = tables.version
        self._found = dict(zip(names, facts.answers, strict=True))

    def uint(self, name: str) -> int:
        return self._read(name, keys.uint)

    def payable(self, name: str) -> int:
        """Of a claim that was tried; 0 where it reverted."""
        if self._found[name] is None:
            return 0
        return self._read(name, partial(claims.paid, self._version))

    def flag(self, name: str) -> bool:
        """False for what was not asked."""
        return name in self._found and self._read(name, keys.flag)

    def units(self, name: str) -> int:
        return self._read(name, erc20.amount)

    def gas(self) -> GasConfig:
        values = {name: self.uint(name) for name in c.GAS_KEYS}
        config = gas_config(values)
        # A DataStore that is another one has nothing under these keys.
        if not config.increase_gas or not config.decrease_gas:
            raise VenueProtocolError("BAD_ANSWER", "no gas limits in the DataStore")
        return config

    def position(self) -> StoredPosition | None:
        return self._read("position", partial(reader.position, self._version))

    def order(self, name: str, key: str) -> StoredOrder | None:
        return self._read(name, partial(reader.order, self._version, key))

    def orders(self) -> Sequence[StoredOrder]:
        """All of the owner that wait; none where that is not known, which holds up no exit."""
        if self._found.get("orders") is None:
            return ()
        return self._read("orders", partial(reader.account_orders, self._version))

    def _read(self, name: str, read: Callable[[bytes], T]) -> T:
        data = self._found.get(name)
        if data is None:
            raise VenueProtocolError("BAD_ANSWER", f"the chain did not answer for {name}")
        try:
            return read(data)
        except InputError as error:
            raise VenueProtocolError("BAD_ANSWER", f"{name}: {error.message}") from None
