"""What the keeper makes of orders, and what the proxy makes of answers: the pure parts."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from sandbox.chain.desk import Desk, Instructions, Now
from sandbox.chain.lies import ChainFault, ChainFaults, answered, asked, hash_of
from sandbox.chain.places import ACCOUNTS, CHAINS, CONTRACTS, TOKENS
from sandbox.chain.replacement import Fees, Signed, fees_of, is_enough, read
from sandbox.gmx.execution import Market, NotDue, Prices, execute, is_triggered
from sandbox.gmx.orders import Order, Position
from sandbox.gmx.refusals import Refusal

E30 = 10**30
USD = E30 // 10**6  # of a smallest unit of USDC
ETH_USD = E30 // 10**18
MARKET, ETH, USDC = (f"0x{digit * 40}" for digit in "123")
TRADER = "0x" + "9" * 40
NOBODY = "0x" + "0" * 40


class Oracle:
    def __init__(self, least: int = 3_000, greatest: int = 3_000, **changes: Any) -> None:
        self._known = {
            ETH: Prices(least * ETH_USD, greatest * ETH_USD),
            USDC: Prices(USD, USD),
        }
        whole = Market(ETH, ETH, USDC, 6 * E30 // 10_000, (10**12 * E30, 10**12 * E30), False)
        self._market = replace(whole, **changes)

    def market(self, token: str) -> Market | None:
        return self._market if token == MARKET else None

    def prices(self, token: str) -> Prices | None:
        return self._known.get(token)


def position(**changes: Any) -> Position:
    nothing = Position(TRADER, MARKET, USDC, 0, 0, 0, 0, 0, True)
    return replace(nothing, **changes)


def order(order_type: int, **changes: Any) -> Order:
    """A long of 10,000 USD with 2,000 USDC."""
    values: dict[str, Any] = {
        "key": bytes(32),
        "version": 1,
        "account": TRADER,
        "receiver": TRADER,
        "cancellation_receiver": NOBODY,
        "market": MARKET,
        "token": USDC,
        "swap_path": (),
        "order_type": order_type,
        "swap_type": 0,
        "size_usd": 10_000 * E30,
        "collateral": 2_000 * 10**6,
        "trigger": 0,
        "acceptable": 2**256 - 1 if order_type in (2, 3, 8) else 0,
        "fee_wei": 0,
        "min_output": 0,
        "updated_s": 0,
        "valid_from_s": 0,
        "is_long": True,
        "unwraps": False,
        "is_frozen": False,
        "auto_cancel": False,
        "position_key": b"\1" * 32,
        "position": position(),
    }
    return Order(**values | changes)


def held(is_long: bool = True) -> Position:
    """10,000 USD of ether at 3,000, with 2,000 USDC."""
    return position(
        size_usd=9_000 * E30, size_tokens=3 * 10**18, collateral=2_000 * 10**6, is_long=is_long
    )


@pytest.mark.parametrize(
    ("order_type", "is_long", "hit", "missed"),
    [
        (3, True, 2_900, 2_901),
        (3, False, 2_900, 2_899),
        (5, True, 2_900, 2_899),
        (5, False, 2_900, 2_901),
        (6, True, 2_900, 2_901),
        (6, False, 2_900, 2_899),
        (8, True, 2_900, 2_899),
        (8, False, 2_900, 2_901),
    ],
)
def test_triggers(order_type: int, is_long: bool, hit: int, missed: int) -> None:
    resting = order(order_type, is_long=is_long, trigger=2_900 * ETH_USD)
    assert is_triggered(resting, Prices(hit * ETH_USD, hit * ETH_USD))
    assert not is_triggered(resting, Prices(missed * ETH_USD, missed * ETH_USD))


@pytest.mark.parametrize(("is_long", "price"), [(True, 3_010), (False, 2_990)])
def test_an_increase_buys_at_the_worse_price_and_rounds_against_it(
    is_long: bool, price: int
) -> None:
    fill = execute(
        order(2, is_long=is_long, acceptable=2**256 - 1 if is_long else 0),
        Oracle(2_990, 3_010),
        0,
    )
    assert fill.price == price * ETH_USD
    exact = 10_000 * E30 / fill.price
    assert abs(fill.size_tokens - exact) < exact * 1e-12
    # A long gets no more than it pays for, a short owes no less.
    paid = fill.size_tokens * fill.price
    assert paid <= fill.size_usd if is_long else paid >= fill.size_usd
    assert fill.position.collateral == 2_000 * 10**6 - 6 * 10**6


@pytest.mark.parametrize(
    ("given", "oracle", "name"),
    [
        (order(2, acceptable=2_999 * ETH_USD), Oracle(), "OrderNotFulfillableAtAcceptablePrice"),
        (order(2, token=ETH, market="0x" + "8" * 40), Oracle(), "InvalidPositionMarket"),
        (order(2), Oracle(is_disabled=True), "DisabledMarket"),
        (order(2), Oracle(available_usd=(E30, E30)), "InsufficientReserve"),
        (order(2, collateral=10**6), Oracle(), "InsufficientCollateralAmount"),
        (order(2, collateral=50 * 10**6), Oracle(), "InsufficientCollateralUsd"),
        (order(2, size_usd=E30 // 2), Oracle(), "MinPositionSize"),
        (order(4), Oracle(), "EmptyPosition"),
        (order(4, position=held()), Oracle(), "InvalidDecreaseOrderSize"),
        (order(4, size_usd=9_000 * E30, position=held()), Oracle(2_300, 2_300), "Insufficient"),
        (
            order(4, size_usd=E30, position=held(), min_output=10**40),
            Oracle(),
            "InsufficientOutputAmount",
        ),
        (order(4, size_usd=0, position=held()), Oracle(2_400, 2_400), "UnableToWithdraw"),
    ],
)
def test_refusals(given: Order, oracle: Oracle, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        execute(given, oracle, 0)
    assert refused.value.name.startswith(name)
    assert len(refused.value.data) % 32 == 4


@pytest.mark.parametrize("given", [order(5), order(2, valid_from_s=10)])
def test_what_is_not_due_waits(given: Order) -> None:
    with pytest.raises(NotDue):
        execute(given, Oracle(), 9)


@pytest.mark.parametrize(("is_long", "price"), [(True, 3_300), (False, 2_700)])
@pytest.mark.parametrize("share", [1, 3])
def test_a_win_is_paid_by_share(is_long: bool, price: int, share: int) -> None:
    size = 9_000 * E30 // share
    closing = order(
        4,
        is_long=is_long,
        size_usd=size,
        collateral=0,
        position=held(is_long),
        acceptable=0 if is_long else 2**256 - 1,
    )
    fill = execute(closing, Oracle(price, price), 0)
    assert fill.pnl_usd == pytest.approx(900 * E30 // share, rel=1e-12)
    profit = next(each for each in fill.payments if each.token == (ETH if is_long else USDC))
    worth = profit.amount * (price * ETH_USD if is_long else USD)
    assert worth == pytest.approx(
        fill.pnl_usd + (0 if is_long or share > 1 else (2_000 * 10**6 - fill.fee) * USD), rel=1e-6
    )
    assert fill.position.size_usd == 9_000 * E30 - size


def test_a_rest_that_is_too_small_is_closed_too() -> None:
    tiny = replace(held(), collateral=25 * 10**6)
    fill = execute(
        order(4, size_usd=8_000 * E30, collateral=0, position=tiny), Oracle(2_995, 2_995), 0
    )
    assert fill.position.size_usd == 0


class Counter(Desk[tuple[str, int]]):
    """Everything is settled at once."""

    def page_call(self, start: int, end: int) -> bytes:
        return b""

    def read_page(self, answer: bytes) -> tuple[list[tuple[str, int]], int]:
        return [], 0

    def identify(self, entry: tuple[str, int]) -> tuple[object, ...]:
        return (entry[0],)

    def owner(self, entry: tuple[str, int]) -> tuple[str, int]:
        return entry

    def decide(self, entry: Any, now: Now, instructions: Instructions) -> bytes | None:
        return str(entry[0]).encode()


def test_a_desk_waits_for_its_delay_and_for_what_it_has_told() -> None:
    desk = Counter("0x")
    told = Instructions(delay_ms=800)
    desk.load([("a", 1)])
    assert desk.turn(Now(0, 0, 0), told) == []
    assert desk.turn(Now(800_000_000, 0, 0), told) == [b"a"]
    assert desk.turn(Now(900_000_000, 0, 0), told) == []
    desk.load([("a", 2)])
    assert desk.turn(Now(1_000_000_000, 0, 0), told) == [b"a"]
    assert desk.turn(Now(9_000_000_000, 0, 0), told) == [b"a"]
    told.mode = "hold"
    assert desk.turn(Now(60_000_000_000, 0, 0), told) == []


def test_the_order_of_two_requests_of_one_account_is_kept() -> None:
    desk = Counter("0x")
    desk.load([("a", 1), ("a", 1)])
    assert desk.turn(Now(0, 0, 0), Instructions(delay_ms=0)) == [b"a"]


@pytest.mark.parametrize("kind", ["legacy", "dynamic"])
def test_signed_transactions_are_read(kind: str) -> None:
    transaction: dict[str, Any] = {
        "chainId": 1,
        "nonce": 300,
        "to": TRADER,
        "value": 10**18,
        "gas": 21_000,
        "data": "0x" + "ab" * 300,
    }
    fees = {"gasPrice": 10**10} if kind == "legacy" else {
        "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 7
    }  # fmt: skip
    raw = Account.sign_transaction(transaction | fees, ACCOUNTS[0].private_key)
    tip = 10**10 if kind == "legacy" else 7
    assert read(bytes(raw.raw_transaction)) == Signed(300, Fees(10**10, tip))
    assert hash_of("0x" + bytes(raw.raw_transaction).hex()) == "0x" + bytes(raw.hash).hex()


@pytest.mark.parametrize("raw", [b"", b"\xc3\x01", b"\x02\xf8", b"\xf8\xff\x01", b"\x02"])
def test_what_is_no_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read(raw)


@pytest.mark.parametrize(
    ("new", "enough"),
    [((110, 11), True), ((109, 20), False), ((200, 10), False), ((100, 10), False)],
)
def test_both_fees_of_a_replacement_rise_by_a_tenth(new: tuple[int, int], enough: bool) -> None:
    old = fees_of({"maxFeePerGas": hex(100), "maxPriorityFeePerGas": hex(10), "gasPrice": "0x1"})
    assert is_enough(Fees(*new), old) is enough


def test_faults_end_and_hold_where_they_were_put() -> None:
    faults = ChainFaults()
    faults.add(ChainFault(137, None, "slow", 10))
    faults.add(ChainFault(137, "a", "mute", 20))
    assert faults.kinds(137, "a", 5) == {"slow", "mute"}
    assert faults.kinds(137, "b", 5) == {"slow"}
    assert faults.kinds(8453, "a", 5) == frozenset()
    assert faults.kinds(137, "a", 10) == {"mute"}
    assert faults.clear() == 1
    assert faults.kinds(137, "a", 11) == frozenset()


def test_an_old_head_is_old_everywhere() -> None:
    call = {"method": "eth_call", "params": [{}, "latest"]}
    assert asked({"stale_head"}, call, 100)["params"] == [{}, hex(60)]
    assert asked({"stale_head"}, call, 5)["params"] == [{}, "0x0"]
    assert asked({"slow"}, call, 100) is call
    fixed = {"method": "eth_call", "params": [{}, "0x5"]}
    assert asked({"stale_head"}, fixed, 100)["params"] == [{}, "0x5"]
    height = {"method": "eth_blockNumber", "params": []}
    assert answered({"stale_head"}, height, {"result": hex(100)}) == {"result": hex(60)}


def test_an_error_of_the_node_is_passed_on() -> None:
    failed = {"error": {"code": 3}}
    request = {"method": "eth_chainId", "params": []}
    assert answered({"wrong_chain", "inflated_gas"}, request, failed) is failed


def test_every_chain_has_the_diamond_and_usdc() -> None:
    for chain_id in CHAINS:
        assert "GAINS_DIAMOND" in CONTRACTS[chain_id]
        assert TOKENS[chain_id]["USDC"].decimals == 6
