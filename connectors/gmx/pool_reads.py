"""Polls of the chain without the network: what is set and what stands in pools of which the API
says nothing, as on a chain that it does not serve. Pure.

The contracts' DataStore has it all; one batch of JSON-RPC asks for some pools, in turns. Prices of
tokens are not read here, and no contract is needed that gathers calls.
Source: GMX v2 contracts, data/Keys.sol, reader/Reader.sol, v2.2b and v2.2c.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from connectors.base.abi import named
from connectors.base.orders import Call
from connectors.gmx import constants as c
from connectors.gmx import eventlog, parse
from connectors.gmx.economics.load import Values, flag, integer, uint
from connectors.gmx.economics.model import ByToken, OpeningConfig, OpeningState, Sided, Signed
from connectors.gmx.economics.opened import Margins
from connectors.gmx.orders import abi, keys
from connectors.gmx.orders.abi import Version
from connectors.gmx.polls import Blame, PollSession
from connectors.gmx.state import GmxState
from connectors.gmx.values import PoolConfig
from domain.errors import InputError

_NO_ID: Final = bytes(32)
_POOL: Final = ("address",)
_OF_FLAG: Final = ("address", "bool")
_OF_TOKEN: Final = ("address", "address")
_OF_SUM: Final = ("address", "address", "bool")

_CHAIN_ID: Final = "eth_chainId"
_MARKET: Final = "getMarket"
_TOKEN_ID: Final = "VIRTUAL_TOKEN_ID"
_SIGNED: Final = (
    "POSITION_IMPACT_FACTOR",
    "POSITION_IMPACT_EXPONENT_FACTOR",
    "MAX_POSITION_IMPACT_FACTOR",
    "POSITION_FEE_FACTOR",
)
_SIDED: Final = (
    "MAX_OPEN_INTEREST",
    "RESERVE_FACTOR",
    "OPEN_INTEREST_RESERVE_FACTOR",
    "MIN_COLLATERAL_FACTOR_FOR_OPEN_INTEREST_MULTIPLIER",
)
_PLAIN: Final = (
    "MIN_COLLATERAL_FACTOR",
    "MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION",
    "MAX_POSITION_IMPACT_FACTOR_FOR_LIQUIDATIONS",
)
_OF_ALL: Final = ("MIN_COLLATERAL_USD", "MIN_POSITION_SIZE_USD")
_SUMS: Final = ("OPEN_INTEREST", "OPEN_INTEREST_IN_TOKENS")
_INVENTORIES: Final = (
    "VIRTUAL_INVENTORY_FOR_POSITIONS",
    "VIRTUAL_INVENTORY_FOR_POSITIONS_IN_TOKENS",
)
_IN_TOKENS: Final = "USE_OPEN_INTEREST_IN_TOKENS_FOR_BALANCE"
_DISABLED: Final = "IS_MARKET_DISABLED"

Read: TypeAlias = Callable[[str], object]
"""Of an answer as a node writes it."""


class _Known(NamedTuple):
    """What keys are made of. Tokens in lower case; ``virtual_id``: 32 bytes."""

    long_token: str
    short_token: str
    virtual_id: bytes


class _Question(NamedTuple):
    """``pool`` is empty where it is of all."""

    pool: str
    name: str
    read: Read


class ReadsSession(PollSession):
    """Pools into the state. What it asks for is the body of a request."""

    def __init__(
        self,
        state: GmxState,
        chain_id: int,
        version: Version,
        contracts: Mapping[str, str],
        blame: Blame,
        mono_ns: int,
    ) -> None:
        super().__init__("", c.READS_EVERY_NS, blame, mono_ns + c.READS_AFTER_NS)
        self._state = state
        self._chain_id = chain_id
        self._version = version
        self._store, self._reader = contracts["DATA_STORE"], contracts["READER"]
        self._known: dict[str, _Known] = {}
        self._asked: dict[int, _Question] = {}
        self._asked_ns = 0
        self._number = 0
        self._last = ""

    def advance(self, mono_ns: int) -> None:
        if mono_ns < self._next_ns:
            return
        self._next_ns = mono_ns + self._every_ns
        if self._asked and mono_ns < self._asked_ns + c.READ_WAIT_NS:
            return
        pools = self._turn(mono_ns)
        if pools:
            self._asked_ns = mono_ns
            self._outgoing.append(self._request(pools))

    def _turn(self, mono_ns: int) -> Sequence[str]:
        """Those that come next of what the API does not tell."""
        book = self._state.book
        wanted = sorted(pool for pool in self._state.by_pool if not book.is_told(pool, mono_ns))
        ahead = [pool for pool in wanted if pool > self._last]
        found = (ahead + wanted[: len(wanted) - len(ahead)])[: c.READS_AT_ONCE]
        self._last = found[-1] if found else ""
        return found

    def _request(self, pools: Sequence[str]) -> str:
        self._asked = {}
        rows: list[dict[str, Any]] = []
        for pool, name, call, read in self._questions(pools):
            self._number += 1
            self._asked[self._number] = _Question(pool, name, read)
            method, params = _CHAIN_ID, []
            if call is not None:
                asked = {"to": call.to, "data": f"0x{call.data.hex()}"}
                method, params = "eth_call", [asked, "latest"]
            rows.append({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        return orjson.dumps(rows).decode()

    def _questions(self, pools: Sequence[str]) -> Iterator[tuple[str, str, Call | None, Read]]:
        store = self._store
        yield "", _CHAIN_ID, None, eventlog.number
        for name in _OF_ALL:
            yield "", name, keys.uint_call(store, keys.key(name)), _read_with(keys.uint)
        yield "", _IN_TOKENS, keys.bool_call(store, keys.key(_IN_TOKENS)), _read_with(keys.flag)
        market = abi.functions(self._version, "Reader")[_MARKET]

        def tokens(data: bytes) -> object:
            return named(market.outputs[0].parts, market.decode_result(data)[0])

        for pool in pools:
            index, known = self._state.by_pool[pool].token, self._known.get(pool)
            call = Call(self._reader, market.encode(store, pool))
            yield pool, _MARKET, call, _read_with(tokens)
            found = keys.key(_TOKEN_ID, _POOL, (index,))
            yield pool, _TOKEN_ID, keys.word_call(store, found), _read_with(keys.word)
            if known is not None:
                for name, call, read in self._details(pool, known):
                    yield pool, name, call, read

    def _details(self, pool: str, known: _Known) -> Iterator[tuple[str, Call, Read]]:
        store = self._store
        for name, types, values in _numbers(pool, known):
            found = keys.key(name.partition(".")[0], types, values)
            yield name, keys.uint_call(store, found), _read_with(keys.uint)
        if known.virtual_id != _NO_ID:
            for name in _INVENTORIES:
                found = keys.key(name, ("bytes32",), (known.virtual_id,))
                yield name, keys.int_call(store, found), _read_with(keys.integer)
        disabled = keys.key(_DISABLED, _POOL, (pool,))
        yield _DISABLED, keys.bool_call(store, disabled), _read_with(keys.flag)

    def _read(self, body: Any, wall_us: int, mono_ns: int) -> None:
        asked, self._asked = self._asked, {}
        answers = _answers(body, asked)
        of_all = answers.pop("", {})
        if of_all.get(_CHAIN_ID) != self._chain_id:
            raise InputError("WRONG_CHAIN", f"chain {of_all.get(_CHAIN_ID)}")
        unread = 0
        for pool, values in answers.items():
            listing = self._state.by_pool.get(pool)
            try:
                if listing is not None:
                    self._learn(pool, listing.token, values | of_all, mono_ns)
            except parse.MALFORMED:
                unread += 1
        if unread == len(answers):
            raise ValueError("no readable pool")

    def _learn(self, pool: str, index: str, values: dict[str, Any], mono_ns: int) -> None:
        market, virtual_id = values[_MARKET], values[_TOKEN_ID]
        if market["marketToken"] != pool or market["indexToken"] != index:
            # The chain has no such market: nothing is known of it.
            self._known.pop(pool, None)
            return
        known = _Known(market["longToken"], market["shortToken"], virtual_id)
        before, self._known[pool] = self._known.get(pool), known
        if before != known or _DISABLED not in values:
            return  # the rest is asked with the next turn
        config, stored = _config(values, known), _stored(values, known)
        # A DataStore that is another one has nothing under these keys.
        most = config.opening.max_open_interest_usd_e30
        if most.long or most.short:
            self._state.book.learn_read(pool, config, stored, mono_ns)


def _answers(body: Any, asked: Mapping[int, _Question]) -> dict[str, dict[str, Any]]:
    """By pool and name, as far as they can be read. Raises one of ``parse.MALFORMED``."""
    if not isinstance(body, list):
        raise TypeError("no batch")
    found: dict[str, dict[str, Any]] = {}
    for row in body:
        question = asked.get(row["id"])
        if question is not None:
            values = found.setdefault(question.pool, {})
            with contextlib.suppress(*parse.MALFORMED):
                values[question.name] = question.read(row["result"])
    return found


def _read_with(read: Callable[[bytes], object]) -> Read:
    return lambda text: read(bytes.fromhex(text[2:]))


def _numbers(pool: str, known: _Known) -> Iterator[tuple[str, tuple[str, ...], tuple[object, ...]]]:
    """Names as ``economics.load`` has them, with types and values of what their keys take."""
    for name in _SIGNED:
        for end, positive in (("positive", True), ("negative", False)):
            yield f"{name}.{end}", _OF_FLAG, (pool, positive)
    for name in _SIDED:
        for end, is_long in (("long", True), ("short", False)):
            yield f"{name}.{end}", _OF_FLAG, (pool, is_long)
    for name in _PLAIN:
        yield name, _POOL, (pool,)
    for place, token in (("longToken", known.long_token), ("shortToken", known.short_token)):
        yield f"POOL_AMOUNT.{place}", _OF_TOKEN, (pool, token)
        for name in _SUMS:
            for end, is_long in (("long", True), ("short", False)):
                yield f"{name}.{place}.{end}", _OF_SUM, (pool, token, is_long)


def _config(values: Values, known: _Known) -> PoolConfig:
    signed = [Signed(*_pair(values, f"{name}.positive", f"{name}.negative")) for name in _SIGNED]
    sided = [Sided(*_pair(values, f"{name}.long", f"{name}.short")) for name in _SIDED]
    impact, exponent, most, fee = signed
    interest, reserve, interest_reserve, per_interest = sided
    return PoolConfig(
        disabled=flag(values, _DISABLED),
        long_token=known.long_token,
        short_token=known.short_token,
        has_virtual=known.virtual_id != _NO_ID,
        opening=OpeningConfig(
            impact_factor_e30=impact,
            impact_exponent_e30=exponent,
            max_impact_factor_e30=most,
            position_fee_factor_e30=fee,
            min_position_size_usd_e30=uint(values, "MIN_POSITION_SIZE_USD"),
            max_open_interest_usd_e30=interest,
            reserve_factor_e30=reserve,
            open_interest_reserve_factor_e30=interest_reserve,
            interest_in_tokens=flag(values, _IN_TOKENS),
            single_token=known.long_token == known.short_token,
        ),
        margins=Margins(
            uint(values, "MIN_COLLATERAL_FACTOR"),
            uint(values, "MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"),
            per_interest,
            uint(values, "MAX_POSITION_IMPACT_FACTOR_FOR_LIQUIDATIONS"),
            uint(values, "MIN_COLLATERAL_USD"),
        ),
    )


def _stored(values: Values, known: _Known) -> OpeningState:
    has_virtual = known.virtual_id != _NO_ID
    in_usd, in_units = _INVENTORIES
    return OpeningState(
        virtual_position_usd_e30=integer(values, in_usd) if has_virtual else None,
        virtual_position_units=integer(values, in_units) if has_virtual else None,
        pool_units=ByToken(*_pair(values, "POOL_AMOUNT.longToken", "POOL_AMOUNT.shortToken")),
        open_interest_usd_e30=_sums(values, "OPEN_INTEREST"),
        open_interest_units=_sums(values, "OPEN_INTEREST_IN_TOKENS"),
    )


def _sums(values: Values, name: str) -> Sided[ByToken]:
    return Sided(
        ByToken(*_pair(values, f"{name}.longToken.long", f"{name}.shortToken.long")),
        ByToken(*_pair(values, f"{name}.longToken.short", f"{name}.shortToken.short")),
    )


def _pair(values: Values, one: str, other: str) -> tuple[int, int]:
    return uint(values, one), uint(values, other)
