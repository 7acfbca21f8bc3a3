"""Trades of gTrade on real nodes: sent and read by the diamond's full ABI, settled by the sandbox's
keeper."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from web3 import Web3
from web3.contract import Contract

from sandbox.chain.places import ACCOUNTS, ARBITRUM, POLYGON
from tests.integration.chain_kit import Stage, abi, said, staged

NOBODY: Final = "0x" + "0" * 40
E10: Final = 10**10
BTC, ETH, EUR = 0, 1, 21
USDC: Final = 3
WETH: Final = 2
SLIPPAGE: Final = 3


class Desk:
    def __init__(self, stage: Stage, diamond: Contract) -> None:
        self.stage = stage
        self.diamond = diamond
        self.do = self.diamond.functions

    def trade(self, **changes: Any) -> Any:
        """``openTrade``'s tuple: 1,000 USDC in a long of BTC, ten times, at the market."""
        given = {
            "pair": BTC,
            "leverage": 10_000,
            "long": True,
            "collateral_index": USDC,
            "kind": 0,
            "amount": 1_000 * 10**6,
            "price": 100_000,
            "tp": 0,
            "sl": 0,
        } | changes
        prices = (given["price"] * E10, given["tp"] * E10, given["sl"] * E10)
        return (
            *(NOBODY, 0, given["pair"], given["leverage"], given["long"], True),
            *(given["collateral_index"], given["kind"], given["amount"], *prices, False, 0, 0),
        )

    def ask(self, slippage_p: int = 1000, **changes: Any) -> list[tuple[str, dict[str, Any]]]:
        call = self.do.openTrade(self.trade(**changes), slippage_p, NOBODY)
        return self.sent(call)

    def sent(self, call: Any, value: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """What the diamond says to a transaction, with a tag behind its arguments."""
        receipt = self.stage.send(call, value=value, tag=b"\x77" * 32)
        assert receipt["status"] == 1
        return said([receipt], self.diamond)

    def turn(self) -> dict[str, dict[str, Any]]:
        return dict(said(self.stage.turn(), self.diamond))

    def open(self, **changes: Any) -> dict[str, Any]:
        self.ask(**changes)
        return self.turn()["MarketExecuted"]

    def trades(self) -> Any:
        return self.do.getTrades(self.stage.trader).call()

    def usdc(self) -> int:
        found: int = self.stage.token("USDC").functions.balanceOf(self.stage.trader).call()
        return found

    def refusal(self, call: Any, value: int = 0) -> str:
        selector, _ = self.stage.refusal(call, value=value)
        return str(abi("gains", "errors")[selector])


@pytest.fixture(scope="module", params=[ARBITRUM, POLYGON])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with staged(request.param) as stage:
        yield stage


@pytest.fixture(scope="module")
def diamond(stage: Stage) -> Contract:
    return stage.contract("GAINS_DIAMOND", "gains", "GNSMultiCollatDiamond")


@pytest.fixture
def desk(stage: Stage, diamond: Contract) -> Iterator[Desk]:
    kept = stage.rpc("evm_snapshot")
    stage.instructions.mode = "auto"
    stage.trader = ACCOUNTS[0].address
    stage.gains.feed.hours.hold({"forex": True})
    stage.set_price("BTC-USD", 100_000)
    stage.chain._read.clear()
    for each in stage.chain.desks:
        each.forget()
    stage.turn()
    stage.send(stage.token("USDC").functions.approve(diamond.address, 2**256 - 1))
    yield Desk(stage, diamond)
    stage.rpc("evm_revert", kept)


def test_a_trade_is_opened_and_closed(desk: Desk) -> None:
    before = desk.usdc()
    asked = dict(desk.ask())
    assert asked["MarketOrderInitiated"]["trader"] == desk.stage.trader
    order = asked["MarketOrderInitiated"]["orderId"]
    assert [each[2] for each in desk.do.getPendingOrders(desk.stage.trader).call()] == [0]
    assert desk.trades() == []
    told = desk.turn()
    opened = told["MarketExecuted"]
    assert (opened["orderId"], opened["open"]) == (order, True)
    # Half of the spread of 0.04 %, and what the skew makes of it.
    assert opened["marketPrice"] == opened["priceImpact"]["priceAfterImpact"]
    assert opened["marketPrice"] == pytest.approx(100_020 * E10, rel=2e-3)
    ((user, index, *rest),) = desk.trades()
    assert (user, index, rest[7]) == (desk.stage.trader, opened["index"], opened["marketPrice"])
    fees = desk.do.getTradeFeesData(user, index).call()
    assert fees[0] == 6 * 10**6
    assert told["TradeStored"]["trade"]["positionSizeToken"] == rest[11]
    assert desk.do.getCounters(user, 0).call()[:2] == (1, 1)

    desk.stage.set_price("BTC-USD", 105_000)
    desk.sent(desk.do.closeTradeMarket(index, 105_000 * E10))
    closed = desk.turn()["MarketExecuted"]
    moved = (closed["marketPrice"] - opened["marketPrice"]) / opened["marketPrice"]
    assert closed["percentProfit"] / E10 == pytest.approx(moved * 1000, rel=1e-6)
    # The result, less the fees of both ways.
    expected = 1_000 + 10_000 * moved - 12
    assert closed["amountSentToTrader"] == pytest.approx(expected * 10**6, rel=1e-6)
    assert desk.usdc() == before - 1_000 * 10**6 + closed["amountSentToTrader"]
    assert desk.trades() == []


def test_a_fill_beyond_the_slippage_is_given_back(desk: Desk) -> None:
    before = desk.usdc()
    desk.ask(price=99_000)
    told = desk.turn()["MarketOpenCanceled"]
    assert told["cancelReason"] == SLIPPAGE
    assert told["collateralReturned"] == 1_000 * 10**6 - 91_882
    assert desk.usdc() == before - 91_882
    index = desk.open()["index"]
    desk.sent(desk.do.closeTradeMarket(index, 110_000 * E10))
    assert desk.turn()["MarketCloseCanceled"]["cancelReason"] == SLIPPAGE
    assert len(desk.trades()) == 1


def test_a_limit_order_rests_is_changed_and_opens_under_another_index(desk: Desk) -> None:
    placed = dict(desk.ask(kind=1, price=95_000))["OpenOrderPlaced"]
    assert desk.turn() == {}
    update = desk.do.updateOpenOrder(placed["index"], 94_000 * E10, 120_000 * E10, 0, 500)
    assert dict(desk.sent(update))["OpenLimitUpdated"]["newPrice"] == 94_000 * E10
    desk.stage.set_price("BTC-USD", 94_500)
    assert desk.turn() == {}
    desk.stage.set_price("BTC-USD", 93_900)
    told = desk.turn()["LimitExecuted"]
    assert (told["limitIndex"], told["index"], told["orderType"]) == (0, 1, 2)
    ((_, index, *rest),) = desk.trades()
    assert (index, rest[5], rest[8]) == (1, 0, 120_000 * E10)


def test_a_limit_order_is_taken_back(desk: Desk) -> None:
    before = desk.usdc()
    desk.ask(kind=2, price=105_000)
    assert "OpenLimitCanceled" in dict(desk.sent(desk.do.cancelOpenOrder(0)))
    assert desk.usdc() == before
    assert desk.trades() == []


@pytest.mark.parametrize(("price", "kind"), [(110_500, 4), (97_000, 5), (90_000, 6)])
def test_profit_loss_and_liquidation_close(desk: Desk, price: int, kind: int) -> None:
    index = desk.open(tp=110_000, sl=97_500 if kind == 5 else 0)["index"]
    assert desk.turn() == {}
    desk.stage.set_price("BTC-USD", price)
    told = desk.turn()["LimitExecuted"]
    assert (told["index"], told["orderType"]) == (index, kind)
    assert (told["amountSentToTrader"] > 0) == (kind != 6)
    assert desk.trades() == []


def test_take_profit_and_stop_are_moved(desk: Desk) -> None:
    index = desk.open(leverage=50_000)["index"]
    assert dict(desk.sent(desk.do.updateTp(index, 130_000 * E10)))["TradeTpUpdated"]
    told = dict(desk.sent(desk.do.updateSl(index, 90_000 * E10)))["TradeSlUpdated"]
    # No further than 68.3 % of the collateral can be lost.
    assert told["newSl"] == pytest.approx(98_634 * E10, rel=2e-3)
    assert dict(desk.sent(desk.do.updateMaxClosingSlippageP(index, 700)))
    assert desk.do.getTradeInfo(desk.stage.trader, index).call()[3] == 700


def test_leverage_and_size_are_changed(desk: Desk) -> None:
    index = desk.open()["index"]
    desk.sent(desk.do.updateLeverage(index, 20_000))
    told = desk.turn()["LeverageUpdateExecuted"]
    assert (told["cancelReason"], told["isIncrease"]) == (0, True)
    assert desk.trades()[0][3:9] == (20_000, True, True, USDC, 0, 500 * 10**6)
    desk.sent(desk.do.updateLeverage(index, 10_000))
    assert desk.turn()["LeverageUpdateExecuted"]["cancelReason"] == 0
    assert desk.trades()[0][8] == 1_000 * 10**6
    desk.sent(desk.do.increasePositionSize(index, 500 * 10**6, 10_000, 100_000 * E10, 1000))
    told = desk.turn()["PositionSizeIncreaseExecuted"]
    assert (told["cancelReason"], told["values"]["newCollateralAmount"]) == (0, 1_500 * 10**6)
    assert desk.trades()[0][8] == 1_500 * 10**6
    before = desk.usdc()
    desk.sent(desk.do.decreasePositionSize(index, 750 * 10**6, 0, 100_000 * E10))
    told = desk.turn()["PositionSizeDecreaseExecuted"]
    assert told["cancelReason"] == 0
    assert desk.usdc() - before == told["values"]["collateralSentToTrader"]
    assert desk.trades()[0][8] == 750 * 10**6


def test_profit_is_taken_out(desk: Desk) -> None:
    index = desk.open()["index"]
    desk.stage.set_price("BTC-USD", 110_000)
    before = desk.usdc()
    desk.sent(desk.do.withdrawPositivePnl(index, 300 * 10**6))
    told = desk.turn()["TradePositivePnlWithdrawn"]
    assert told["pnlWithdrawnCollateral"] == 300 * 10**6 == desk.usdc() - before
    assert desk.do.getTradeFeesData(desk.stage.trader, index).call()[1] == -300 * 10**6


def test_a_closed_market_leaves_the_order_until_it_is_taken_back(desk: Desk) -> None:
    desk.stage.gains.feed.hours.hold({"forex": False})
    before = desk.usdc()
    desk.ask(pair=EUR, price=1, leverage=20_000)
    assert desk.turn() == {}
    assert desk.refusal(desk.do.cancelOrderAfterTimeout(0)) == "WaitTimeout()"
    desk.stage.rpc("anvil_mine", hex(desk.do.getMarketOrdersTimeoutBlocks().call()))
    told = dict(desk.sent(desk.do.cancelOrderAfterTimeout(0)))
    assert told["CollateralReturnedAfterTimeout"]["collateralAmount"] == 1_000 * 10**6
    assert "ChainlinkCallbackTimeout" in told
    assert desk.usdc() == before
    assert desk.refusal(desk.do.cancelOrderAfterTimeout(0)) == "NoOrder()"


def test_several_calls_and_calls_of_a_delegate_go_together(desk: Desk) -> None:
    index = desk.open()["index"]
    trader, delegate = desk.stage.trader, ACCOUNTS[2].address
    desk.sent(desk.do.setTradingDelegate(delegate))
    both = [
        desk.diamond.encode_abi("updateMaxClosingSlippageP", [index, 900]),
        desk.diamond.encode_abi("closeTradeMarket", [index, 100_000 * E10]),
    ]
    inner = desk.diamond.encode_abi("multicall", [both])
    desk.stage.trader = delegate
    told = dict(desk.sent(desk.do.delegatedTradingAction(trader, inner)))
    assert told["MarketOrderInitiated"]["trader"] == trader
    assert "MarketExecuted" in desk.turn()
    desk.stage.trader = ACCOUNTS[3].address
    refused = desk.do.delegatedTradingAction(trader, inner)
    assert desk.refusal(refused) == "DelegateNotApproved()"


def test_ether_is_collateral_where_it_is_the_wrapped_one(desk: Desk) -> None:
    trade = desk.trade(collateral_index=WETH, amount=0)
    call = desk.do.openTradeNative(trade, 1000, NOBODY)
    if desk.stage.chain_id == POLYGON:
        assert desk.refusal(call, 10**18) == "NotWrappedNativeToken()"
        return
    desk.sent(call, 10**18)
    opened = desk.turn()["MarketExecuted"]
    assert opened["t"]["collateralAmount"] == 10**18
    desk.sent(desk.do.closeTradeMarket(opened["index"], 100_000 * E10))
    before = desk.stage.web3.eth.get_balance(desk.stage.trader)
    paid = desk.turn()["MarketExecuted"]["amountSentToTrader"]
    assert desk.stage.web3.eth.get_balance(desk.stage.trader) == before + paid


def test_the_keeper_does_what_it_is_told(desk: Desk) -> None:
    for mode in ("hold", "freeze"):
        desk.stage.instructions.mode = mode
        desk.ask()
        assert desk.turn() == {}
    desk.stage.instructions.mode = "cancel"
    assert desk.turn()["MarketOpenCanceled"]["orderId"]["index"] == 0
    assert desk.turn()["MarketOpenCanceled"]["orderId"]["index"] == 1


def test_refusals_are_the_real_ones(desk: Desk) -> None:
    def name(slippage_p: int = 1000, **changes: Any) -> str:
        return desk.refusal(desk.do.openTrade(desk.trade(**changes), slippage_p, NOBODY))

    assert name(amount=3 * 10**6) == "InsufficientCollateral()"
    assert name(leverage=1_000_000) == "WrongLeverage()"
    assert name(price=0) == "BelowMin()"
    assert name(tp=90_000) == "TradeTpInvalid()"
    assert name(sl=110_000) == "TradeSlInvalid()"
    assert name(slippage_p=0) == "MaxSlippageZero()"
    index = desk.open()["index"]
    close = desk.do.closeTradeMarket(index, 100_000 * E10)
    assert desk.refusal(desk.do.closeTradeMarket(index, 0)) == "ZeroValue()"
    assert desk.refusal(desk.do.closeTradeMarket(9, 1)) == "InvalidCollateralIndex()"
    assert desk.refusal(desk.do.cancelOpenOrder(index)) == "WrongTradeType()"
    desk.sent(close)
    assert desk.refusal(close) == "ConflictingPendingOrder(uint8)"
    desk.turn()
    assert desk.refusal(close) == "DoesntExist()"
    desk.stage.trader = ACCOUNTS[1].address
    call = desk.do.openTrade(desk.trade(), 1000, NOBODY)
    selector, _ = desk.stage.refusal(call)
    assert selector == "0x08c379a0"  # of the token: no allowance


def test_collaterals_are_listed(desk: Desk) -> None:
    found = desk.do.getCollaterals().call()
    token = Web3.to_checksum_address(desk.stage.token("USDC").address)
    assert found[USDC - 1] == (token, True, 0, 10**6, 10**12)
    assert desk.do.getCollateralIndex(token).call() == USDC
    assert desk.do.pairMinFeeUsd(BTC).call() == 75 * 10**16
    assert desk.do.getCollateralPriceUsd(WETH).call() > 100 * 10**8
