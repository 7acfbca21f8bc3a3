"""What stands on a chain, read block by block over JSON-RPC. Imports nothing of the project: tags
and events are decoded here anew, from the venues' published ABIs.

Source: GMX v2 contracts, event/EventEmitter.sol, order/OrderEventUtils.sol,
position/PositionEventUtils.sol; gTrade's diamond, ITradingCallbacksUtils.sol, v10.
"""

import hashlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from eth_abi import decode
from eth_utils.crypto import keccak

ETH_DECIMALS: Final = 18
"""Of the index token of ETH-USD, the one market that is traded here."""
USDC_DECIMALS: Final = 6
_BATCH: Final = 100
_PREFIX: Final = b"perptape"


def _topic(text: str) -> str:
    return f"0x{keccak(text=text).hex()}"


_ITEMS: Final = ",".join(
    f"((string,{kind})[],(string,{kind}[])[])"
    for kind in ("address", "uint256", "int256", "bool", "bytes32", "bytes", "string")
)
_GMX: Final = ("address", "string", f"({_ITEMS})")
_UINTS, _BYTES32S = 1, 4
_TRADE: Final = (
    "(address,uint32,uint16,uint24,bool,bool,uint8,uint8,uint120,uint64,uint64,uint64,bool,"
    "uint160,uint24)"
)
_ID: Final = "(address,uint32)"
_IMPACT: Final = "(uint256,int256,int256,int256,int256,uint64)"
_PRICES: Final = ("uint256", "uint256", "uint256", _IMPACT, "int256", "uint256", "uint256")
_MARKET_EXECUTED: Final = (_ID, _TRADE, "bool", *_PRICES)
_LIMIT_EXECUTED: Final = (_ID, _TRADE, "address", "uint8", *_PRICES, "bool")
_OPENING_TYPES: Final = (2, 3)
_INCREASED: Final = (
    f"(uint256,uint256,uint256,uint256,uint256,{_IMPACT},int256,uint256,uint256,uint256,uint256,"
    "uint256,bool,uint256,uint256,uint256)"
)
_DECREASED: Final = (
    f"(bool,uint256,uint256,uint256,uint256,{_IMPACT},int256,int256,int256,int256,uint256,uint256,"
    "int256,int256,uint120,uint24)"
)
_RESIZED: Final = (_ID, "uint8", "uint256", "bool", "uint256", "uint256", "uint256", "uint256")
"""Without what is indexed, before the values."""

CREATED, CANCELLED = _topic("OrderCreated"), _topic("OrderCancelled")
INCREASED, DECREASED = _topic("PositionIncrease"), _topic("PositionDecrease")
INITIATED: Final = _topic("MarketOrderInitiated((address,uint32),address,uint16,bool)")
PLACED: Final = _topic("OpenOrderPlaced(address,uint16,uint32)")
WITHDRAWN: Final = _topic("OpenLimitCanceled(address,uint16,uint32)")
MARKET_EXECUTED: Final = _topic(
    f"MarketExecuted({_ID},address,uint32,{_TRADE},bool,{','.join(_PRICES)})"
)
LIMIT_EXECUTED: Final = _topic(
    f"LimitExecuted({_ID},address,uint32,uint32,{_TRADE},address,uint8,{','.join(_PRICES)},bool)"
)
RESIZING: Final = _topic(
    f"PositionSizeUpdateInitiated({_ID},address,uint256,uint256,bool,uint256,uint256)"
)
_RESIZED_BY: Final = (
    f"({_ID},uint8,uint8,address,uint256,uint256,bool,uint256,uint256,uint256,uint256,"
)
GROWN: Final = _topic(f"PositionSizeIncreaseExecuted{_RESIZED_BY}{_INCREASED})")
SHRUNK: Final = _topic(f"PositionSizeDecreaseExecuted{_RESIZED_BY}{_DECREASED})")
OPEN_REFUSED: Final = _topic("MarketOpenCanceled((address,uint32),address,uint256,uint8,uint256)")
CLOSE_REFUSED: Final = _topic("MarketCloseCanceled((address,uint32),address,uint256,uint256,uint8)")


def tag_of(order_id: str) -> bytes:
    """What stands behind the calldata of every transaction of an order."""
    return _PREFIX + hashlib.sha256(order_id.encode()).digest()[: 32 - len(_PREFIX)]


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction with a tag. ``created``: the venue's names of what it asked for."""

    tx_hash: str
    sender: str
    nonce: int
    block_hash: str
    tag: bytes
    ok: bool
    created: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """``ref``: the venue's name of the order."""

    ref: str
    tx_hash: str
    log_index: int
    price: Decimal
    size_base: Decimal


@dataclass(slots=True)
class ChainView:
    """``nonces``: of mined transactions by sender. ``stuck``: senders with transactions that wait
    behind a missing one."""

    chain_id: int
    sent: list[Sent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    nonces: dict[str, list[int]] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    blocks: dict[int, str] = field(default_factory=dict)


def read(chain_id: int, url: str) -> ChainView:
    """All of it, from the first block on."""
    view = ChainView(chain_id)
    follow(view, url)
    return view


def follow(view: ChainView, url: str) -> None:
    """What came since it was read last: a node forgets the transactions of old blocks. Raises
    OSError and RuntimeError, and nothing was added then."""
    [head] = _ask(url, [("eth_blockNumber", [])])
    first, new, tagged = len(view.blocks), ChainView(view.chain_id), []
    for numbers in _parts(range(first, int(head, 16) + 1)):
        for block in _ask(url, [("eth_getBlockByNumber", [hex(n), True]) for n in numbers]):
            new.blocks[int(block["number"], 16)] = block["hash"]
            for tx in block["transactions"]:
                new.nonces.setdefault(tx["from"].lower(), []).append(int(tx["nonce"], 16))
                if bytes.fromhex(tx["input"][2:])[-32:].startswith(_PREFIX):
                    tagged.append(tx)
    created: dict[str, list[str]] = {}
    if new.blocks:
        [logs] = _ask(url, [("eth_getLogs", [{"fromBlock": hex(first), "toBlock": head}])])
        for log in logs:
            _take(new, log, created)
    for part in _parts(tagged):
        found = _ask(url, [("eth_getTransactionReceipt", [tx["hash"]]) for tx in part])
        for tx, receipt in zip(part, found, strict=True):
            new.sent.append(_sent(tx, receipt, tuple(created.get(tx["hash"], ()))))
    [pool] = _ask(url, [("txpool_content", [])])
    new.stuck = {sender.lower() for sender, waiting in pool["queued"].items() if waiting}
    _add(view, new)


def _add(view: ChainView, new: ChainView) -> None:
    view.blocks |= new.blocks
    view.sent += new.sent
    view.fills += new.fills
    view.cancelled |= new.cancelled
    view.stuck = new.stuck
    for sender, nonces in new.nonces.items():
        view.nonces.setdefault(sender, []).extend(nonces)


def _sent(tx: dict[str, Any], receipt: dict[str, Any], created: tuple[str, ...]) -> Sent:
    return Sent(
        tx["hash"], tx["from"].lower(), int(tx["nonce"], 16), tx["blockHash"],
        bytes.fromhex(tx["input"][2:])[-32:], receipt["status"] == "0x1", created,
    )  # fmt: skip


def _take(view: ChainView, log: dict[str, Any], created: dict[str, list[str]]) -> None:
    topics = log["topics"]
    if len(topics) > 1 and topics[1] in (CREATED, CANCELLED, INCREASED, DECREASED):
        _take_gmx(view, log, created)
    elif topics and topics[0] in _GAINS:
        _take_gains(view, log, created)


def _take_gmx(view: ChainView, log: dict[str, Any], created: dict[str, list[str]]) -> None:
    name = log["topics"][1]
    items = decode(_GMX, bytes.fromhex(log["data"][2:]))[2]
    words = {key: f"gmx:{value.hex()}" for key, value in items[_BYTES32S][0]}
    if name == CREATED:
        created.setdefault(log["transactionHash"], []).append(words["key"])
    elif name == CANCELLED:
        view.cancelled.add(words["key"])
    else:
        numbers = dict(items[_UINTS][0])
        price = Decimal(numbers["executionPrice"]).scaleb(ETH_DECIMALS - 30)
        size = Decimal(numbers["sizeDeltaInTokens"]).scaleb(-ETH_DECIMALS)
        view.fills.append(_fill(words["orderKey"], log, price, size))


_GAINS: Final = (
    INITIATED, PLACED, WITHDRAWN, MARKET_EXECUTED, LIMIT_EXECUTED, OPEN_REFUSED, CLOSE_REFUSED,
    RESIZING, GROWN, SHRUNK,
)  # fmt: skip


def _take_gains(view: ChainView, log: dict[str, Any], created: dict[str, list[str]]) -> None:
    name, topics, data = log["topics"][0], log["topics"], bytes.fromhex(log["data"][2:])
    if name in (PLACED, WITHDRAWN):
        ref = _resting(f"0x{topics[1][-40:]}", int(topics[3], 16))
        if name == PLACED:
            created.setdefault(log["transactionHash"], []).append(ref)
        else:
            view.cancelled.add(ref)
        return
    owner, index = decode([_ID], data)[0]
    request = f"gains:request:{owner.lower()}:{index}"
    if name in (INITIATED, RESIZING):
        created.setdefault(log["transactionHash"], []).append(request)
    elif name == MARKET_EXECUTED:
        values = decode(_MARKET_EXECUTED, data)
        view.fills.append(_gains_fill(request, log, values[1], values[3:], opens=values[2]))
    elif name == LIMIT_EXECUTED:
        values = decode(_LIMIT_EXECUTED, data)
        if values[3] in _OPENING_TYPES:
            ref = _resting(owner, int(topics[3], 16))
            view.fills.append(_gains_fill(ref, log, values[1], values[4:], opens=True))
    elif name in (GROWN, SHRUNK):
        _take_resized(view, request, log, data)
    else:
        view.cancelled.add(request)


def _take_resized(view: ChainView, request: str, log: dict[str, Any], data: bytes) -> None:
    """What was taken off is told at its entry: with what it gained it is the size at the fill."""
    grows = log["topics"][0] == GROWN
    values = decode((*_RESIZED, _INCREASED if grows else _DECREASED), data)
    refused, is_long, usd_e8, inner = values[1], values[3], values[5], values[8]
    if refused:
        view.cancelled.add(request)
        return
    units = inner[0] if grows else inner[1] + (inner[7] if is_long else -inner[7])
    price = Decimal(inner[5][5]).scaleb(-10)
    usd = Decimal(units).scaleb(-USDC_DECIMALS) * Decimal(usd_e8).scaleb(-8)
    view.fills.append(_fill(request, log, price, usd / price))


def _resting(owner: str, index: int) -> str:
    return f"gains:order:{owner.lower()}:{index}"


def _gains_fill(
    ref: str, log: dict[str, Any], trade: Sequence[Any], prices: Sequence[Any], *, opens: bool
) -> Fill:
    """``trade``: leverage x 1e3, collateral in its units, price of entry x 1e10."""
    price_e10, usd_e8 = prices[1], prices[6]
    entry_e10 = price_e10 if opens else trade[9]
    units = trade[8] * trade[3] // 1000
    usd = Decimal(units).scaleb(-USDC_DECIMALS) * Decimal(usd_e8).scaleb(-8)
    size = usd / Decimal(entry_e10).scaleb(-10)
    return _fill(ref, log, Decimal(price_e10).scaleb(-10), size)


def _fill(ref: str, log: dict[str, Any], price: Decimal, size: Decimal) -> Fill:
    return Fill(ref, log["transactionHash"], int(log["logIndex"], 16), price, size)


# JSON-RPC -----------------------------------------------------------------------------------------


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), _BATCH):
        yield items[first : first + _BATCH]


def _ask(url: str, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
    """The answers in their order. Raises RuntimeError for one that is an error."""
    body = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(calls)
    ]
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        told = {each["id"]: each for each in json.load(answer)}
    for each in told.values():
        if "error" in each:
            raise RuntimeError(f"{url}: {each['error']}")
    return [told[number]["result"] for number in range(len(calls))]
