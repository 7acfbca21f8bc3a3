"""Orders of GMX on a real node: sent and read by the ABIs of the real contracts, settled by the
sandbox's keeper."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from eth_abi.abi import decode
from web3 import Web3

from sandbox.chain.places import ACCOUNTS, ARBITRUM, CONTRACTS, ROTATED_OUT_ROUTER, TOKENS
from tests.integration.chain_kit import Stage, abi, emitted, staged

ETH_MARKET: Final = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"
USDC: Final = TOKENS[ARBITRUM]["USDC"].address
WETH: Final = TOKENS[ARBITRUM]["WETH"].address
VAULT: Final = CONTRACTS[ARBITRUM]["ORDER_VAULT"]
NOBODY: Final = "0x" + "0" * 40
E30: Final = 10**30
ANY_BUY: Final = 2**256 - 1
FEE: Final = 10**16
INCREASE, LIMIT_INCREASE, DECREASE, TAKE_PROFIT, STOP_LOSS = 2, 3, 4, 5, 6


class Desk:
    """What a trader does, on a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.router = stage.contract("EXCHANGE_ROUTER", "gmx", "ExchangeRouter")
        self.reader = stage.contract("READER", "gmx", "Reader")
        self.emitter = stage.contract("EVENT_EMITTER", "gmx", "EventEmitter")
        self.store = CONTRACTS[ARBITRUM]["DATA_STORE"]

    def params(self, order_type: int, **changes: Any) -> Any:
        """``createOrder``'s tuple: a long of ETH against USDC where nothing else is said."""
        given = {
            "collateral": USDC,
            "size_usd": 10_000,
            "amount": 0,
            "trigger": 0,
            "acceptable": ANY_BUY if order_type in (INCREASE, LIMIT_INCREASE) else 0,
            "is_long": True,
            "unwraps": False,
            "auto_cancel": False,
        } | changes
        trader = self.stage.trader
        return (
            (trader, NOBODY, NOBODY, NOBODY, ETH_MARKET, given["collateral"], []),
            (
                given["size_usd"] * E30,
                given["amount"],
                given["trigger"],
                given["acceptable"],
                FEE,
                0,
                0,
                0,
            ),
            order_type,
            0,
            given["is_long"],
            given["unwraps"],
            given["auto_cancel"],
            bytes(32),
            [],
        )

    def calls(self, params: Any, paid: int = 0, collateral: str = USDC) -> list[str]:
        """One order's part of a multicall: fee, collateral, order."""
        native = paid if collateral == WETH else 0
        encoded = [self.router.encode_abi("sendWnt", [VAULT, FEE + native])]
        if paid and not native:
            encoded.append(self.router.encode_abi("sendTokens", [collateral, VAULT, paid]))
        return [*encoded, self.router.encode_abi("createOrder", [params])]

    def order(self, params: Any, paid: int = 0, collateral: str = USDC) -> Any:
        calls = self.calls(params, paid, collateral)
        value = FEE + (paid if collateral == WETH else 0)
        return self.stage.send(
            self.router.functions.multicall(calls), value=value, tag=b"\x77" * 32
        )

    def open(self, paid: int = 2_000 * 10**6, **changes: Any) -> Any:
        receipt = self.order(self.params(INCREASE, **changes), paid)
        assert receipt["status"] == 1
        return self.stage.turn()

    def told(self, receipts: Any) -> dict[str, dict[str, Any]]:
        return dict(emitted(receipts, self.emitter))

    def positions(self) -> Any:
        return self.reader.functions.getAccountPositions(
            self.store, self.stage.trader, 0, 10
        ).call()

    def orders(self) -> Any:
        return self.reader.functions.getAccountOrders(self.store, self.stage.trader, 0, 10).call()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged(ARBITRUM) as stage:
        yield stage


@pytest.fixture
def desk(stage: Stage) -> Iterator[Desk]:
    """A trader with an allowance on a chain that nobody else has traded on."""
    kept = stage.rpc("evm_snapshot")
    stage.instructions.mode = "auto"
    stage.trader = ACCOUNTS[0].address
    stage.set_price("ETH-USD", 3000)
    stage.chain._read.clear()
    for each in stage.chain.desks:
        each.forget()
    stage.turn()
    approve = stage.token("USDC").functions.approve(CONTRACTS[ARBITRUM]["ROUTER"], 2**256 - 1)
    stage.send(approve)
    yield Desk(stage)
    stage.rpc("evm_revert", kept)


def test_a_position_is_opened_and_closed(desk: Desk) -> None:
    usdc = desk.stage.token("USDC")
    before = usdc.functions.balanceOf(desk.stage.trader).call()
    receipt = desk.order(desk.params(INCREASE), 2_000 * 10**6)
    created = desk.told([receipt])["OrderCreated"]
    assert created["account"] == desk.stage.trader
    assert created["initialCollateralDeltaAmount"] == 2_000 * 10**6
    assert created["sizeDeltaUsd"] == 10_000 * E30
    assert created["executionFee"] == FEE
    ((key, order),) = desk.orders()
    assert (key, order[1][0]) == (created["key"], INCREASE)
    assert desk.positions() == []

    told = desk.told(desk.stage.turn())
    increased, fees = told["PositionIncrease"], told["PositionFeesCollected"]
    assert told["OrderExecuted"]["key"] == increased["orderKey"] == fees["orderKey"] == key
    assert increased["executionPrice"] == pytest.approx(3000 * 10**12, rel=1e-6)
    assert fees["positionFeeAmount"] == pytest.approx(6 * 10**6, rel=1e-3)
    assert increased["collateralAmount"] == 2_000 * 10**6 - fees["positionFeeAmount"]
    (position,) = desk.positions()
    assert position[0] == (desk.stage.trader, ETH_MARKET, USDC)
    assert position[1][:3] == (
        10_000 * E30,
        increased["sizeInTokens"],
        increased["collateralAmount"],
    )
    assert desk.orders() == []

    desk.stage.set_price("ETH-USD", 3300)
    desk.order(desk.params(DECREASE))
    told = desk.told(desk.stage.turn())
    decreased = told["PositionDecrease"]
    assert decreased["sizeInUsd"] == 0
    assert decreased["basePnlUsd"] == pytest.approx(1_000 * E30, rel=1e-4)
    assert desk.positions() == []
    # Profit of a long is paid in the long token.
    weth = desk.stage.token("WETH").functions.balanceOf(desk.stage.trader).call()
    assert weth - 500 * 10**18 == pytest.approx(1_000 / 3300 * 10**18, rel=1e-4)
    assert before - usdc.functions.balanceOf(desk.stage.trader).call() == pytest.approx(
        12 * 10**6, rel=1e-3
    )


def test_a_fee_that_was_too_much_comes_back_as_ether(desk: Desk) -> None:
    before = desk.stage.web3.eth.get_balance(desk.stage.trader)
    receipt = desk.order(desk.params(INCREASE), 2_000 * 10**6)
    told = desk.told(desk.stage.turn())
    spent = receipt["gasUsed"] * receipt["effectiveGasPrice"]
    refund = told["ExecutionFeeRefund"]["refundFeeAmount"]
    assert refund + told["KeeperExecutionFee"]["executionFeeAmount"] == FEE
    assert desk.stage.web3.eth.get_balance(desk.stage.trader) == before - spent - FEE + refund


def test_ether_is_collateral(desk: Desk) -> None:
    desk.order(desk.params(INCREASE, collateral=WETH), 10**18, WETH)
    told = desk.told(desk.stage.turn())
    assert told["PositionIncrease"]["collateralToken"] == WETH
    desk.order(desk.params(DECREASE, collateral=WETH, unwraps=True))
    before = desk.stage.web3.eth.get_balance(desk.stage.trader)
    told = desk.told(desk.stage.turn())
    gained = desk.stage.web3.eth.get_balance(desk.stage.trader) - before
    paid = told["PositionDecrease"]["collateralDeltaAmount"]
    assert gained == paid + told["ExecutionFeeRefund"]["refundFeeAmount"]


def test_a_price_beyond_the_acceptable_gives_the_order_back(desk: Desk) -> None:
    before = desk.stage.token("USDC").functions.balanceOf(desk.stage.trader).call()
    told = desk.told(desk.open(acceptable=2_990 * 10**12))
    reason = told["OrderCancelled"]["reasonBytes"]
    signature = abi("gmx", "errors")["0x" + reason[:4].hex()]
    assert signature == "OrderNotFulfillableAtAcceptablePrice(uint256,uint256)"
    price, acceptable = decode(["uint256", "uint256"], reason[4:])
    assert price == pytest.approx(3_000 * 10**12, rel=1e-6)
    assert acceptable == 2_990 * 10**12
    assert desk.stage.token("USDC").functions.balanceOf(desk.stage.trader).call() == before


@pytest.mark.parametrize(
    ("changes", "paid", "name"),
    [
        ({"size_usd": 1_000_000}, 2_000, "InsufficientCollateralUsd"),
        ({"size_usd": 10_000}, 5, "InsufficientCollateralAmount"),
        ({"size_usd": 10**9}, 2 * 10**7, "InsufficientReserve"),
    ],
)
def test_what_cannot_be_opened_says_why(
    desk: Desk, changes: dict[str, Any], paid: int, name: str
) -> None:
    usdc = desk.stage.token("USDC")
    desk.stage.send(usdc.functions.mint(desk.stage.trader, paid * 10**6))
    told = desk.told(desk.open(paid * 10**6, **changes))
    reason = told["OrderCancelled"]["reasonBytes"]
    assert abi("gmx", "errors")["0x" + reason[:4].hex()].startswith(f"{name}(")
    assert desk.positions() == []


def test_a_limit_order_rests_is_changed_and_is_taken_back(desk: Desk) -> None:
    desk.order(desk.params(LIMIT_INCREASE, trigger=2_900 * 10**12), 2_000 * 10**6)
    assert desk.stage.turn() == []
    ((key, _),) = desk.orders()
    update = desk.router.functions.updateOrder(
        key, 12_000 * E30, ANY_BUY, 2_800 * 10**12, 0, 0, False
    )
    told = desk.told([desk.stage.send(update)])["OrderUpdated"]
    assert (told["key"], told["triggerPrice"]) == (key, 2_800 * 10**12)
    desk.stage.set_price("ETH-USD", 2_850)
    assert desk.stage.turn() == []
    told = desk.told([desk.stage.send(desk.router.functions.cancelOrder(key))])
    assert told["OrderCancelled"]["reason"] == "USER_INITIATED_CANCEL"
    assert told["ExecutionFeeRefund"]["refundFeeAmount"] == FEE
    assert desk.orders() == []
    with pytest.raises(AssertionError):
        assert desk.stage.send(desk.router.functions.cancelOrder(key))["status"] == 1


def test_a_limit_order_is_executed_when_the_price_comes_to_it(desk: Desk) -> None:
    desk.order(desk.params(LIMIT_INCREASE, trigger=2_900 * 10**12), 2_000 * 10**6)
    assert desk.stage.turn() == []
    desk.stage.set_price("ETH-USD", 2_890)
    told = desk.told(desk.stage.turn())
    assert told["PositionIncrease"]["executionPrice"] == pytest.approx(2_890 * 10**12, rel=1e-6)
    assert told["PositionIncrease"]["orderType"] == LIMIT_INCREASE


@pytest.mark.parametrize(
    ("order_type", "trigger", "price"),
    [(TAKE_PROFIT, 3_200, 3_210), (STOP_LOSS, 2_900, 2_880)],
)
def test_triggers_close_and_take_the_others_with_them(
    desk: Desk, order_type: int, trigger: int, price: int
) -> None:
    desk.open()
    for kind, at in ((TAKE_PROFIT, 3_200), (STOP_LOSS, 2_900)):
        whole = desk.params(kind, trigger=at * 10**12, auto_cancel=True, size_usd=10_000)
        desk.order(whole)
    assert desk.stage.turn() == []
    desk.stage.set_price("ETH-USD", price)
    receipts = desk.stage.turn()
    told = desk.told(receipts)
    assert told["PositionDecrease"]["orderType"] == order_type
    assert told["PositionDecrease"]["sizeInUsd"] == 0
    assert told["OrderCancelled"]["reason"] == "AUTO_CANCEL"
    assert desk.orders() == desk.positions() == []
    assert trigger in (3_200, 2_900)


def test_a_limit_order_that_cannot_be_filled_is_frozen_until_it_is_changed(desk: Desk) -> None:
    desk.order(
        desk.params(LIMIT_INCREASE, trigger=2_900 * 10**12, acceptable=2_800 * 10**12),
        2_000 * 10**6,
    )
    desk.stage.set_price("ETH-USD", 2_890)
    told = desk.told(desk.stage.turn())["OrderFrozen"]
    assert "0x" + told["reasonBytes"][:4].hex() == "0xe09ad0e9"
    ((key, order),) = desk.orders()
    assert order[2][2]
    assert order[1][6] == 0  # of its fee nothing is left
    assert desk.stage.turn() == []
    update = desk.router.encode_abi(
        "updateOrder", [key, 10_000 * E30, ANY_BUY, 2_900 * 10**12, 0, 0, False]
    )
    fee = desk.router.encode_abi("sendWnt", [VAULT, FEE])
    desk.stage.send(desk.router.functions.multicall([fee, update]), value=FEE)
    assert "PositionIncrease" in desk.told(desk.stage.turn())


def test_the_keeper_does_what_it_is_told(desk: Desk) -> None:
    desk.stage.instructions.mode = "hold"
    assert desk.open() == []
    desk.stage.instructions.mode = "cancel"
    assert "OrderCancelled" in desk.told(desk.stage.turn())
    desk.order(desk.params(LIMIT_INCREASE, trigger=2_900 * 10**12), 2_000 * 10**6)
    desk.stage.instructions.mode = "freeze"
    assert "OrderFrozen" in desk.told(desk.stage.turn())


def test_refusals_of_the_contracts_are_the_real_ones(desk: Desk) -> None:
    errors = abi("gmx", "errors")
    router = desk.router.functions
    named = {signature.partition("(")[0]: selector for selector, signature in errors.items()}

    def name(call: Any, value: int = 0) -> str:
        selector, _ = desk.stage.refusal(call, value=value)
        return str(errors[selector]).partition("(")[0]

    calls = desk.calls(desk.params(INCREASE), 2_000 * 10**6)
    assert name(router.multicall(calls[1:]), FEE) == "InsufficientWntAmountForExecutionFee"
    poor = desk.params(INCREASE)
    poor = (poor[0], (*poor[1][:4], 1, *poor[1][5:]), *poor[2:])
    cheap = [
        desk.router.encode_abi("sendWnt", [VAULT, 1]),
        desk.router.encode_abi("createOrder", [poor]),
    ]
    assert name(router.multicall(cheap), 1) == "InsufficientExecutionFee"
    assert name(router.cancelOrder(bytes(32))) == "EmptyOrder"
    desk.order(desk.params(INCREASE), 2_000 * 10**6)
    ((key, _),) = desk.orders()
    assert name(router.cancelOrder(key)) == "RequestNotYetCancellable"
    assert name(router.updateOrder(key, 1, 1, 1, 0, 0, False)) == "OrderNotUpdatable"
    desk.stage.trader = ACCOUNTS[1].address
    assert name(router.cancelOrder(key)) == "Unauthorized"
    selector, data = desk.stage.refusal(router.multicall(calls), value=FEE)
    assert selector == named["Error"]
    assert decode(["string"], data) == ("ERC20: transfer amount exceeds allowance",)
    usdc = desk.stage.token("USDC").functions
    desk.stage.send(usdc.approve(CONTRACTS[ARBITRUM]["ROUTER"], 2**256 - 1))
    desk.stage.send(usdc.transfer(VAULT, usdc.balanceOf(desk.stage.trader).call()))
    _, data = desk.stage.refusal(router.multicall(calls), value=FEE)
    assert decode(["string"], data) == ("ERC20: transfer amount exceeds balance",)


def test_the_router_of_the_release_before_has_lost_its_roles(desk: Desk) -> None:
    old = desk.stage.web3.eth.contract(
        Web3.to_checksum_address(ROTATED_OUT_ROUTER), abi=abi("gmx", "ExchangeRouter")
    )
    calls = desk.calls(desk.params(INCREASE), 2_000 * 10**6)
    selector, data = desk.stage.refusal(old.functions.multicall(calls), value=FEE)
    assert abi("gmx", "errors")[selector] == "Unauthorized(address,string)"
    assert decode(["address", "string"], data) == (ROTATED_OUT_ROUTER.lower(), "ROUTER_PLUGIN")


def test_the_reader_knows_the_markets(desk: Desk) -> None:
    markets = desk.reader.functions.getMarkets(desk.store, 0, 1_000).call()
    assert len(markets) == 134
    assert (ETH_MARKET, WETH, WETH, USDC) in markets
