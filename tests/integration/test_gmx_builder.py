"""The builder's own steps on a real node: nothing but what it says is asked, sent and read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3.exceptions import ContractLogicError

from connectors.base.order_tag import order_tag, tag_of
from connectors.base.orders import (
    Call,
    Cancel,
    ChainFacts,
    ChainLog,
    OrderRequest,
    Place,
    Step,
    Transaction,
    Update,
)
from connectors.gmx.orders.builder import GmxOrders
from domain.orders import Brackets
from domain.outcomes import Cancelled, Claimed, Executed, Frozen, Resting, Updated, VenueOutcome
from sandbox.chain.places import ACCOUNTS, ARBITRUM, BASE_FEE_WEI
from tests.integration.chain_kit import Stage, staged
from tests.unit.connectors.gmx.orders import kit as k

OWNER = ACCOUNTS[0].address
FEE_PER_GAS = 2 * BASE_FEE_WEI[ARBITRUM]


class Trader:
    """Does with a builder what its callers do."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.builder: GmxOrders = k.builder()
        self.refs: dict[str, str] = {}

    def place(self, wanted: Any, **leg: Any) -> Place:
        return replace(k.place(wanted, **leg), owner=OWNER)

    def cancel(self) -> Cancel:
        return Cancel(order_tag("ord_2"), OWNER, k.intent(), k.leg(), self.refs)

    def facts(self, request: OrderRequest) -> ChainFacts:
        block: Any = self.stage.web3.eth.get_block("latest")
        return ChainFacts(
            ARBITRUM,
            block["number"],
            block["timestamp"],
            FEE_PER_GAS,
            self.stage.web3.eth.get_balance(OWNER),  # type: ignore[arg-type]
            tuple(self.answer(call) for call in self.builder.reads(request)),
        )

    def answer(self, call: Call) -> bytes | None:
        asked: Any = {"to": call.to, "data": call.data, "from": call.sender or OWNER}
        try:
            return bytes(self.stage.web3.eth.call(asked))
        except ContractLogicError:
            return None

    def owe(self, name: str, units: int, *hour: int) -> None:
        """Writes what OWNER can claim of USDC in the pool."""
        types = ["bytes32", "address", "address", *["uint256"] * len(hour), "address"]
        base = keccak(encode(["string"], [name]))
        key = keccak(encode(types, [base, k.ETH_USDC, k.USDC, *hour, OWNER]))
        data = keccak(text="setUint(bytes32,uint256)")[:4] + encode(
            ["bytes32", "uint256"], [key, units]
        )
        store = self.builder.reads(claim())[0].to
        fees = {"maxFeePerGas": FEE_PER_GAS, "maxPriorityFeePerGas": 0}
        sent: Any = {"from": OWNER, "to": store, "data": data, **fees}
        self.stage.web3.eth.wait_for_transaction_receipt(self.stage.web3.eth.send_transaction(sent))

    def refused(self, request: OrderRequest) -> list[str]:
        found = self.builder.check(request, self.facts(request))
        return [refusal.code for refusal in found]

    def run(self, request: OrderRequest) -> list[VenueOutcome]:
        """Signs and sends all steps, each only while the next is known to be needed."""
        assert self.refused(request) == []
        found: list[VenueOutcome] = []
        for step in self.builder.build(request, self.facts(request)):
            found += self.send(step)
        return found

    def send(self, step: Step) -> list[VenueOutcome]:
        web3 = self.stage.web3
        sent = web3.eth.send_transaction(self.envelope(step))
        receipt = web3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1
        mined: Any = web3.eth.get_transaction(sent)
        transaction = Transaction(
            ARBITRUM, mined["from"], mined["to"], mined["value"], bytes(mined["input"]), 0, 0
        )
        assert self.builder.verify(step, transaction) is None
        assert tag_of(transaction.data) is not None
        return self.told([receipt])

    def envelope(self, step: Step) -> Any:
        return {
            "from": OWNER,
            "to": step.to,
            "value": step.value_wei,
            "data": step.data,
            "gas": step.gas,
            "maxFeePerGas": FEE_PER_GAS,
            "maxPriorityFeePerGas": 0,
        }

    def told(self, receipts: Sequence[Any]) -> list[VenueOutcome]:
        logs = [
            ChainLog(
                ARBITRUM,
                log["address"],
                tuple(bytes(topic) for topic in log["topics"]),
                bytes(log["data"]),
                log["blockNumber"],
                log["blockHash"].to_0x_hex(),
                log["transactionHash"].to_0x_hex(),
                log["logIndex"],
            )
            for receipt in receipts
            for log in receipt["logs"]
        ]
        found = list(self.builder.decode(logs))
        for outcome in found:
            self.refs |= self.builder.refs_of(outcome)
        return found

    def turn(self) -> list[VenueOutcome]:
        return self.told(self.stage.turn())

    def revert(self, step: Step, **changes: Any) -> str:
        asked = {"from": OWNER, "to": step.to, "data": f"0x{step.data.hex()}"}
        asked |= {"value": hex(step.value_wei), "gas": hex(step.gas)} | changes
        answer: Any = self.stage.web3.provider.make_request("eth_call", [asked, "latest"])  # type: ignore[arg-type]
        return self.builder.reason(bytes.fromhex(answer["error"]["data"][2:])).code


def claim(*hours: int) -> Place:
    """Of all that OWNER is due in the pool."""
    kept = tuple(f"{k.USDC}:{hour}" for hour in hours)
    return replace(k.place(k.claim_intent(), collateral_amount=None), owner=OWNER, kept=kept)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(ARBITRUM) as stage:
        yield stage


@pytest.fixture
def trader(stage: Stage) -> Iterator[Trader]:
    kept = stage.rpc("evm_snapshot")
    stage.instructions.mode = "auto"
    stage.trader = OWNER
    stage.set_price("ETH-USD", 3000)
    stage.chain._read.clear()
    for desk in stage.chain.desks:
        desk.forget()
    stage.turn()
    yield Trader(stage)
    stage.rpc("evm_revert", kept)


def test_an_opening_with_its_exits_is_filled_and_closed(trader: Trader) -> None:
    brackets = Brackets(take_profit=Decimal(3500), stop_loss=Decimal(2500))
    wanted = k.intent(brackets=brackets)
    order, profit, loss = trader.run(trader.place(wanted))
    assert isinstance(order, Resting)
    assert isinstance(profit, Resting)
    assert isinstance(loss, Resting)
    assert (order.account, order.type, order.reduces) == (OWNER, "market", False)
    assert (profit.trigger_price, loss.trigger_price) == (3500, 2500)
    assert set(trader.refs) == {"order_key", "take_profit_key", "stop_loss_key"}

    (fill,) = trader.turn()
    assert isinstance(fill, Executed)
    assert fill.ref == order.ref
    assert fill.price == pytest.approx(Decimal(3000), rel=Decimal("1e-4"))
    assert fill.costs.fee_usd == pytest.approx(Decimal("0.6"), rel=Decimal("0.5"))
    assert fill.position_ref is not None

    close = trader.place(
        k.exit_intent(), size_base=fill.size_base, guard_price=None, position_ref=fill.position_ref
    )
    (resting,) = trader.run(close)
    assert isinstance(resting, Resting)
    closed, *exits = trader.turn()
    assert isinstance(closed, Executed)
    assert (closed.ref, closed.size_base) == (resting.ref, fill.size_base)
    assert closed.pnl_usd is not None
    assert {outcome.ref for outcome in exits} == {profit.ref, loss.ref}
    for outcome in exits:
        assert isinstance(outcome, Cancelled)
        assert outcome.reason.code == "POSITION_CLOSED"
    # Nothing is left to close.
    assert trader.refused(replace(close, tag=order_tag("again"))) == ["POSITION_GONE"]


def test_the_allowance_is_asked_for_once(trader: Trader) -> None:
    request = trader.place(k.intent())
    steps = trader.builder.build(request, trader.facts(request))
    assert [step.id for step in steps] == ["approve", "order"]
    trader.send(steps[0])
    assert [step.id for step in trader.builder.build(request, trader.facts(request))] == ["order"]


def test_ether_waits_at_its_limit_is_frozen_changed_and_filled(trader: Trader) -> None:
    wanted = k.intent(type="limit", limit_price=Decimal(2900), collateral_symbol="ETH")
    leg = {"collateral_symbol": "ETH", "collateral_amount": Decimal("0.1"), "guard_price": None}
    (resting,) = trader.run(trader.place(wanted, **leg))
    assert isinstance(resting, Resting)
    assert resting.type == "limit"
    assert trader.turn() == []

    trader.stage.instructions.mode = "freeze"
    trader.stage.set_price("ETH-USD", 2890)
    (frozen,) = trader.turn()
    assert isinstance(frozen, Frozen)
    assert (frozen.ref, frozen.reason.code) == (resting.ref, "PRICE_GUARD")

    trader.stage.instructions.mode = "auto"
    changed = replace(wanted, limit_price=Decimal(2950))
    update = Update(order_tag("ord_1"), OWNER, changed, k.leg(**leg), trader.refs)
    (updated,) = trader.run(update)
    assert isinstance(updated, Updated)
    (fill,) = trader.turn()
    assert isinstance(fill, Executed)
    assert (fill.ref, fill.completes) == (resting.ref, True)
    assert fill.price <= 2950


def test_what_waits_is_cancelled_with_its_exits(trader: Trader) -> None:
    wanted = k.intent(
        type="limit", limit_price=Decimal(2500), brackets=Brackets(stop_loss=Decimal(2000))
    )
    assert len(trader.run(trader.place(wanted))) == 2
    cancelled = trader.run(trader.cancel())
    assert {outcome.ref for outcome in cancelled} == set(trader.refs.values())
    for outcome in cancelled:
        assert isinstance(outcome, Cancelled)
        assert outcome.by_user
    assert trader.refused(trader.cancel()) == ["ORDER_GONE"]


def test_a_market_order_is_cancelled_when_its_time_is_up(trader: Trader) -> None:
    trader.stage.instructions.mode = "hold"
    trader.run(trader.place(k.intent()))
    assert trader.refused(trader.cancel()) == ["TOO_EARLY"]
    (step,) = trader.builder.build(trader.cancel(), trader.facts(trader.cancel()))
    assert trader.revert(step) == "TOO_EARLY"
    trader.stage.rpc("evm_increaseTime", 301)
    trader.stage.rpc("evm_mine")
    (cancelled,) = trader.run(trader.cancel())
    assert isinstance(cancelled, Cancelled)


def test_a_fill_beyond_the_guard_is_given_back_and_said_why(trader: Trader) -> None:
    trader.run(trader.place(k.intent()))
    trader.stage.set_price("ETH-USD", 3100)
    (cancelled,) = trader.turn()
    assert isinstance(cancelled, Cancelled)
    assert not cancelled.by_user
    assert cancelled.reason.code == "PRICE_GUARD"


def test_reverts_are_said_in_words(trader: Trader) -> None:
    request = trader.place(k.intent())
    approve, order = trader.builder.build(request, trader.facts(request))
    trader.send(approve)
    # The fee is made for the highest price the transaction may pay, and some more.
    dearer = hex(2 * FEE_PER_GAS)
    assert trader.revert(order, gasPrice=dearer) == "KEEPER_FEE"
    less = hex(order.value_wei - 1)
    assert trader.revert(order, value=less) != "KEEPER_FEE"


def test_what_is_due_is_paid_once(trader: Trader) -> None:
    """Of two hours one is past the delay."""
    now_s: Any = trader.stage.web3.eth.get_block("latest")["timestamp"]
    old, young = now_s // 3600 - 5 * 24 - 1, now_s // 3600
    usdc = trader.stage.token("USDC").functions.balanceOf(OWNER)
    before = usdc.call()
    assert trader.refused(claim(old, young)) == ["NOTHING"]
    trader.owe("CLAIMABLE_COLLATERAL_AMOUNT", 7_000_000, young)
    assert trader.refused(claim(old, young)) == ["TOO_EARLY"]
    trader.owe("CLAIMABLE_COLLATERAL_AMOUNT", 3_000_000, old)
    trader.owe("CLAIMABLE_FUNDING_AMOUNT", 12_500_000)
    told = trader.run(claim(old, young))
    assert all(isinstance(item, Claimed) and item.account == OWNER for item in told)
    assert [
        (item.kind, item.symbol, item.amount) for item in told if isinstance(item, Claimed)
    ] == [
        ("funding", "USDC", Decimal("12.5")),
        ("impact", "USDC", Decimal(3)),
    ]
    assert len({item.ref for item in told}) == 1
    assert usdc.call() - before == 15_500_000
    assert trader.refused(claim(old, young)) == ["TOO_EARLY"]
    assert trader.refused(claim(old)) == ["NOTHING"]
    # An operator of GMX lets go of a half before its time.
    trader.owe("CLAIMABLE_COLLATERAL_FACTOR", 5 * 10**29, young)
    [half] = trader.run(claim(old, young))
    assert isinstance(half, Claimed)
    assert (half.kind, half.amount) == ("impact", Decimal("3.5"))
