"""Orders of the builder on a real node: its reads answered, its bytes sent, its outcomes read back.
The sandbox's diamond and keeper share nothing with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from web3 import Web3

from connectors.base.order_tag import order_tag, tag_of
from connectors.base.orders import (
    Cancel,
    ChainFacts,
    ChainLog,
    OrderRequest,
    Place,
    Step,
    Transaction,
    Update,
)
from connectors.gains.orders.builder import GainsOrders
from domain.orders import Brackets, OrderIntent
from domain.outcomes import Cancelled, Claimed, Executed, Resting, Updated, VenueOutcome
from sandbox.chain.places import ACCOUNTS, ARBITRUM, BASE_FEE_WEI
from tests.integration.chain_kit import GAS, Stage, staged
from tests.unit.connectors.gains.economics.pools import POOL
from tests.unit.connectors.gains.orders.desk import TABLES, exited, intent, leg

TAG = order_tag("an order on a node")
LIMIT = Decimal(95_000)


class Desk:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.orders = GainsOrders(TABLES, lambda market, pool: POOL)

    @property
    def owner(self) -> str:
        return self.stage.trader

    def facts(self, request: OrderRequest) -> ChainFacts:
        web3 = self.stage.web3
        block = web3.eth.get_block("latest")
        return ChainFacts(
            chain_id=ARBITRUM,
            block_number=block["number"],
            block_time_s=block["timestamp"],
            fee_per_gas_wei=10**8,
            native_balance_wei=web3.eth.get_balance(Web3.to_checksum_address(self.owner)),
            answers=tuple(
                bytes(web3.eth.call({"to": Web3.to_checksum_address(call.to), "data": call.data}))
                for call in self.orders.reads(request)
            ),
        )

    def do(self, request: OrderRequest) -> list[VenueOutcome]:
        """Everything that is asked for, signed and mined."""
        assert self.orders.check(request, self.facts(request)) == []
        found: list[VenueOutcome] = []
        for step in self.orders.build(request, self.facts(request)):
            found += self._send(step)
        return found

    def _send(self, step: Step) -> Sequence[VenueOutcome]:
        web3 = self.stage.web3
        tx_hash = web3.eth.send_transaction(
            {
                "from": self.owner,
                "to": step.to,
                "data": step.data,
                "value": Web3.to_wei(step.value_wei, "wei"),
                "gas": GAS,
                "maxFeePerGas": Web3.to_wei(10 * BASE_FEE_WEI[ARBITRUM], "wei"),
                "maxPriorityFeePerGas": Web3.to_wei(0, "wei"),
            }
        )
        receipt = web3.eth.wait_for_transaction_receipt(tx_hash)
        assert receipt["status"] == 1
        self._found_again(step, web3.eth.get_transaction(tx_hash))
        return self._outcomes([receipt])

    def _found_again(self, step: Step, mined: Any) -> None:
        """What a node tells of the transaction is the step, and no other step."""
        found = Transaction(
            chain_id=mined["chainId"],
            sender=mined["from"],
            to=mined["to"],
            value_wei=mined["value"],
            data=bytes(mined["input"]),
            nonce=mined["nonce"],
            gas=mined["gas"],
        )
        assert self.orders.verify(step, found) is None
        assert self.orders.verify(replace(step, data=step.data[:-1] + b"\x00"), found)
        assert tag_of(found.data) == TAG

    def turn(self) -> list[VenueOutcome]:
        """Of one turn of the keeper."""
        return self._outcomes(self.stage.turn())

    def _outcomes(self, receipts: Any) -> list[VenueOutcome]:
        logs = [
            ChainLog(
                chain_id=ARBITRUM,
                address=log["address"],
                topics=tuple(bytes(topic) for topic in log["topics"]),
                data=bytes(log["data"]),
                block_number=log["blockNumber"],
                block_hash=log["blockHash"].to_0x_hex(),
                tx_hash=log["transactionHash"].to_0x_hex(),
                log_index=log["logIndex"],
            )
            for receipt in receipts
            for log in receipt["logs"]
        ]
        return list(self.orders.decode(logs))

    # Requests -----------------------------------------------------------------------------------

    def open(self, wanted: OrderIntent, **leg_changes: Any) -> list[VenueOutcome]:
        return self.do(Place(TAG, self.owner, wanted, leg(**leg_changes)))

    def exit(self, position: str, leg_changes: Mapping[str, Any], **changed: Any) -> Any:
        found = exited({**leg_changes, "position_ref": position}, **changed)
        return self.do(replace(found, owner=self.owner, tag=TAG))

    def cancel(self, outcome: VenueOutcome) -> list[VenueOutcome]:
        refs = self.orders.refs_of(outcome)
        return self.do(Cancel(TAG, self.owner, intent(), leg(), refs))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(ARBITRUM) as stage:
        yield stage


@pytest.fixture
def desk(stage: Stage) -> Iterator[Desk]:
    kept = stage.rpc("evm_snapshot")
    stage.instructions.mode = "auto"
    stage.trader = ACCOUNTS[0].address
    stage.set_price("BTC-USD", 100_000)
    stage.chain._read.clear()
    for each in stage.chain.desks:
        each.forget()
    stage.turn()
    yield Desk(stage)
    stage.rpc("evm_revert", kept)


def test_a_position_is_opened_reduced_and_closed(desk: Desk) -> None:
    wanted = intent(brackets=Brackets(Decimal(120_000), Decimal(95_000)))
    (request,) = desk.open(wanted)
    assert isinstance(request, Resting)
    assert (request.account, request.type, request.reduces) == (desk.owner, "market", False)
    (opened,) = desk.turn()
    assert isinstance(opened, Executed)
    assert (opened.account, opened.ref, opened.completes) == (desk.owner, request.ref, True)
    assert opened.price <= Decimal(100_500)
    assert opened.size_base == pytest.approx(Decimal("0.1"), rel=Decimal("0.005"))
    position = opened.position_ref
    assert position is not None

    half = {"size_base": Decimal("0.05")}
    (waits,) = desk.exit(position, half, intent="decrease", size_base=Decimal("0.05"))
    assert isinstance(waits, Resting)
    (reduced,) = desk.turn()
    assert isinstance(reduced, Executed)
    assert (reduced.ref, reduced.position_ref) == (waits.ref, position)
    assert reduced.size_base == pytest.approx(Decimal("0.05"), rel=Decimal("0.005"))

    profit = {"guard_price": Decimal(108_900)}
    (exit_,) = desk.exit(position, profit, type="take_profit", trigger_price=Decimal(110_000))
    assert isinstance(exit_, Resting)
    assert (exit_.ref, exit_.trigger_price) == (f"tp:{position}", Decimal(110_000))
    (gone,) = desk.cancel(exit_)
    assert isinstance(gone, Cancelled)

    (waits,) = desk.exit(position, {})
    (closed,) = desk.turn()
    assert isinstance(closed, Executed)
    assert (closed.ref, closed.position_ref) == (waits.ref, position)
    assert opened.size_base - reduced.size_base - closed.size_base < Decimal("0.0001")
    assert closed.pnl_usd is not None
    assert closed.pnl_usd < 0


def test_profit_is_taken_out_of_a_position_that_stays(desk: Desk) -> None:
    desk.open(intent())
    (opened,) = desk.turn()
    assert isinstance(opened, Executed)
    nothing = {"size_base": None, "leverage": None}
    wanted = intent(side="SELL", intent="claim", **nothing)
    at = leg(position_ref=opened.position_ref, collateral_amount=None)
    claim = Place(TAG, desk.owner, wanted, at)
    assert [item.code for item in desk.orders.check(claim, desk.facts(claim))] == ["NOTHING"]

    higher = replace(POOL, mark_e10=110_000 * 10**10)
    desk.orders = GainsOrders(TABLES, lambda market, pool: higher)
    desk.stage.set_price("BTC-USD", 110_000)
    usdc = desk.stage.token("USDC").functions.balanceOf(desk.owner)
    before = usdc.call()
    (asked,) = desk.do(replace(claim, leg=replace(at, collateral_amount=Decimal("300.5"))))
    (paid,) = desk.turn()
    assert isinstance(asked, Resting)
    assert isinstance(paid, Claimed)
    assert (paid.ref, paid.kind, paid.symbol) == (asked.ref, "profit", "USDC")
    assert paid.amount == Decimal("300.5")
    desk.do(claim)
    (rest,) = desk.turn()
    assert isinstance(rest, Claimed)
    assert rest.amount == pytest.approx(Decimal(690), rel=Decimal("0.02"))
    assert usdc.call() - before == int((paid.amount + rest.amount) * 10**6)
    desk.do(claim)
    (none,) = desk.turn()
    assert isinstance(none, Cancelled)
    assert none.reason.code == "NOTHING"


def test_a_fill_past_the_bound_is_cancelled(desk: Desk) -> None:
    """The price moves between the signature and the keeper."""
    (request,) = desk.open(intent())
    desk.stage.set_price("BTC-USD", 101_000)
    (found,) = desk.turn()
    assert isinstance(found, Cancelled)
    assert (found.ref, found.reason.code, found.by_user) == (request.ref, "PRICE_GUARD", False)


def test_an_order_rests_is_changed_fills_and_another_goes(desk: Desk) -> None:
    wanted = intent(type="limit", limit_price=LIMIT)
    (rests,) = desk.open(wanted, guard_price=LIMIT)
    assert isinstance(rests, Resting)
    assert (rests.type, rests.reduces) == ("limit", False)
    assert desk.turn() == []
    lower = intent(type="limit", limit_price=Decimal(94_000))
    (changed,) = desk.do(
        Update(TAG, desk.owner, lower, leg(guard_price=Decimal(94_000)), desk.orders.refs_of(rests))
    )
    assert isinstance(changed, Updated)
    assert changed.ref == rests.ref
    assert changed.trigger_price is not None
    assert Decimal(93_900) < changed.trigger_price < Decimal(94_000)
    desk.stage.set_price("BTC-USD", 93_500)
    (filled,) = desk.turn()
    assert isinstance(filled, Executed)
    assert filled.ref == rests.ref
    assert filled.price <= Decimal(94_000)

    (rests,) = desk.open(wanted, guard_price=LIMIT - 5_000)
    (gone,) = desk.cancel(rests)
    assert isinstance(gone, Cancelled)
    assert (gone.ref, gone.by_user) == (rests.ref, True)


def test_a_request_that_nobody_answers_is_taken_back(desk: Desk) -> None:
    desk.stage.instructions.mode = "hold"
    (request,) = desk.open(intent())
    refs = desk.orders.refs_of(request)
    back = Cancel(TAG, desk.owner, intent(), leg(), refs)
    (early,) = desk.orders.check(back, desk.facts(back))
    assert early.code == "TOO_EARLY"
    desk.stage.rpc("anvil_mine", hex(400))
    (gone,) = desk.cancel(request)
    assert isinstance(gone, Cancelled)
    assert (gone.ref, gone.reason.code) == (request.ref, "TIMEOUT")
