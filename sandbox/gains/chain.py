"""One chain's diamond as its backend sees it: blocks, trades, open interest, and the messages of
the event stream. A function of time; no task, no socket, no clock."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

import orjson

from runtime.clock import iso_ms
from sandbox.faults import ActiveFaults, Kind
from sandbox.gains.catalogue import ChainSpec, Collateral, Pair
from sandbox.gains.feed import PriceFeed
from sandbox.gains.interest import (
    E10,
    E18,
    Borrowing,
    Group,
    Interest,
    Windows,
    at_percent,
    truncated,
)
from sandbox.gains.numbers import js_value
from sandbox.gains.trade import Trade

FAULT_KINDS: Final[tuple[Kind, ...]] = ("freeze", "cross", "delist")

# Heights grow with the wall clock, so that a restarted replica never goes back.
_HEIGHT_ZERO_US: Final = 1_700_000_000_000_000
_L1_BLOCK_US: Final = 12_000_000
_TELL_BLOCK_US: Final = 1_000_000
_REFRESH_US: Final = 60_000_000
# One action every few seconds on the busiest chain.
_ACTION_S: Final = 2.5
_FIRST_TRADES: Final = 40
_TRADES: Final = (20, 80)
_LEVERAGES_E3: Final = (5_000, 10_000, 20_000, 25_000, 50_000, 75_000, 100_000)
_NEGATIVE_PNL_MULTIPLIER_P: Final = 40
# By block, as recorded: of a pair, and of the group that all pairs without funding are in.
_PAIR_FEES: Final = (592, 10_000, 80_000)
_GROUP_FEES: Final = (727, 0, 100_000)
GROUP: Final = 1
_ETH: Final = 1


class Chain:
    """``interests[collateral index][pair index]`` holds quoted pairs of active collaterals,
    ``groups[collateral index]`` what those of group 1 add up to."""

    def __init__(
        self,
        spec: ChainSpec,
        pairs: Sequence[Pair],
        parameters: Mapping[str, Any],
        traders: Sequence[str],
        feed: PriceFeed,
        *,
        seed: int,
        rate: float,
        now_us: int,
    ) -> None:
        self.spec = spec
        self.pairs = pairs
        self.parameters = parameters
        self._traders = traders
        self._feed = feed
        self._rng = Random(f"{seed}:gains:{spec.chain_id}")
        self._action_s = _ACTION_S / (spec.scale * rate)
        self._quoted = [pair for pair in pairs if pair.market is not None]
        self._weights = [1.1 - pair.rank for pair in self._quoted]
        self._active = [collateral for collateral in spec.collaterals if collateral.is_active]
        self._now_us = now_us
        self.interests: dict[int, dict[int, Interest]] = {}
        self.groups: dict[int, Group] = {}
        self.windows: dict[int, Windows] = {}
        self.trades: dict[tuple[str, int], Trade] = {}
        self._next_index: dict[str, int] = {}
        # Counts what ``/trading-variables`` shows, so that a body is built once a change.
        self.version = 0
        self.refresh_id = (now_us - _HEIGHT_ZERO_US) // _REFRESH_US
        self.refreshed_us = now_us
        self.is_open = feed.hours.open_classes(now_us)
        self.crossed: frozenset[int] = frozenset()
        self.delisted: frozenset[int] = frozenset()
        self._next_block_us = self._next_l1_us = now_us
        self._next_action_us = now_us
        self._messages: list[bytes] = []
        for collateral in self._active:
            self.interests[collateral.index] = {
                pair.index: self._first_interest(collateral, pair) for pair in self._quoted
            }
            self.groups[collateral.index] = self._first_group(collateral)
        for _ in range(_FIRST_TRADES):
            self._open()
        self._messages.clear()

    @property
    def block(self) -> int:
        return (self._now_us - _HEIGHT_ZERO_US) // self.spec.block_us

    @property
    def l1_block(self) -> int:
        """Chains that are no roll-up of the first kind repeat their own height."""
        own = self.spec.block_us > _TELL_BLOCK_US
        return self.block if own else (self._now_us - _HEIGHT_ZERO_US) // _L1_BLOCK_US

    def step(self, now_us: int, faults: ActiveFaults) -> tuple[list[bytes], bool]:
        """Messages since the last step, and whether the full variables are due as well."""
        self._now_us = now_us
        self._messages = []
        refreshed = False
        if faults or self.crossed or self.delisted or now_us >= self._next_block_us:
            refreshed = self._turn_listing(faults)
        if now_us >= self._next_block_us:
            self._next_block_us = now_us + max(_TELL_BLOCK_US, self.spec.block_us)
            self._say("currentBlock", self.block)
        if now_us >= self._next_l1_us:
            self._next_l1_us = now_us + _L1_BLOCK_US
            self._say("currentL1Block", self.l1_block)
        if now_us >= self._next_action_us:
            wait_s = self._rng.expovariate(1 / self._action_s)
            self._next_action_us = now_us + int(wait_s * 1e6)
            self._act()
        if now_us >= self.refreshed_us + _REFRESH_US or refreshed:
            self.refreshed_us = now_us
            self.refresh_id += 1
            self.version += 1
            refreshed = True
        return self._messages, refreshed

    def open_trades(self, user: str | None) -> bytes:
        chosen = [
            trade.shown(last_oi_update=trade.opened_s)
            for trade in self.trades.values()
            if user is None or trade.user == user
        ]
        return orjson.dumps(chosen)

    def collateral_price(self, collateral: Collateral) -> float:
        if collateral.price_usd is not None:
            return collateral.price_usd
        return self._feed.quotes[_ETH].mark

    def _say(self, name: str, value: Any) -> None:
        self.version += 1
        self._messages.append(orjson.dumps({"name": name, "value": value}))

    def _turn_listing(self, faults: ActiveFaults) -> bool:
        """Hours, delistings and crossed spreads; True when one of them changed."""
        crossed = self._hit(faults, "cross")
        delisted = self._hit(faults, "delist")
        is_open = self._feed.hours.open_classes(self._now_us)
        told = self.crossed, self.delisted, self.is_open
        self.crossed, self.delisted, self.is_open = crossed, delisted, is_open
        return told != (crossed, delisted, is_open)

    def _hit(self, faults: ActiveFaults, kind: Kind) -> frozenset[int]:
        if not faults:
            return frozenset()
        return frozenset(pair.index for pair in self._quoted if faults.hits(kind, pair.market))

    def _first_interest(self, collateral: Collateral, pair: Pair) -> Interest:
        """Open interest that leaves the price within a few hundredths of a percent."""
        rng = self._rng
        price = self._feed.quotes[pair.index].mark
        maximum = pair.max_oi_usd * self.spec.scale * collateral.share_of_oi
        maximum /= self.collateral_price(collateral)
        long = rng.uniform(0.2, 0.35)
        short = min(0.6, max(0.05, long + rng.gauss(0, 0.08)))
        tokens = maximum / price
        return Interest(
            max_e10=int(maximum) * E10,
            max_skew_e10=int(maximum * 0.6) * E10 if pair.is_core else 0,
            depth=int(2 * tokens * 1e6) * 10**12 if pair.is_core else 0,
            old_long_e10=int(maximum * rng.uniform(0, 0.01) * E10),
            old_short_e10=int(maximum * rng.uniform(0, 0.01) * E10),
            long_collateral=int(maximum * long * collateral.unit),
            short_collateral=int(maximum * short * collateral.unit),
            long_tokens=int(tokens * long * 1e6) * 10**12,
            short_tokens=int(tokens * short * 1e6) * 10**12,
            funding_rate_e18=int(rng.gauss(0, 1e12)) if pair.is_core else 0,
            funding_long_e20=0,
            funding_short_e20=0,
            funding_at_s=self._now_us // 1_000_000,
            borrowing=None if pair.is_core else Borrowing(*_PAIR_FEES, self.block),
        )

    def _first_group(self, collateral: Collateral) -> Group:
        grouped = [
            each for each in self.interests[collateral.index].values() if each.borrowing is not None
        ]
        long = sum(each.long_collateral for each in grouped) * E10 // collateral.unit
        short = sum(each.short_collateral for each in grouped) * E10 // collateral.unit
        allowed = sum(each.max_e10 for each in grouped)
        return Group(long, short, allowed, Borrowing(*_GROUP_FEES, self.block))

    def _act(self) -> None:
        fewest, most = _TRADES
        choice = self._rng.random()
        if choice < 0.15:
            self._move_stop()
        elif (choice < 0.575 and len(self.trades) < most) or len(self.trades) <= fewest:
            self._open()
        else:
            self._close()

    def _open(self) -> None:
        rng = self._rng
        collateral = rng.choices(self._active, [each.share_of_oi for each in self._active])[0]
        pair = rng.choices(self._quoted, self._weights)[0]
        mark = self._feed.mark(pair.index)
        if mark is None:
            return
        oracle_e10 = round(mark * E10)
        interest = self.interests[collateral.index][pair.index]
        # Traders take the other side of the skew more often than not.
        long = rng.random() < 0.5 - max(-0.4, min(0.4, interest.skew_p_e10() / E10 * 5))
        group = self.parameters["groups"][int(pair.group_index)]
        limits = int(group["minLeverage"]), pair.max_leverage or int(group["maxLeverage"])
        leverage_e3 = max(limits[0], min(limits[1], rng.choice(_LEVERAGES_E3)))
        price_usd = self.collateral_price(collateral)
        amount = int(rng.lognormvariate(6.0, 1.0) / price_usd * collateral.unit)
        size = amount * leverage_e3 // 1000
        used = interest.long_collateral if long else interest.short_collateral
        if (used + size) * E10 // collateral.unit > interest.max_e10:
            return
        interest.accrue(self._now_us // 1_000_000, self.block, oracle_e10)
        spread_p = int(pair.spread_p) // 2 * (1 if long else -1)
        tokens = size * E18 // collateral.unit * E10 // at_percent(oracle_e10, spread_p)
        skew_p = interest.skew_p_e10(tokens if long else -tokens)
        user = rng.choice(self._traders)
        index = self._next_index.get(user, 0)
        self._next_index[user] = index + 1
        fee_p = int(self.parameters["fees"][int(pair.fee_index)]["totalPositionSizeFeeP"])
        funding = interest.shown_funding()
        trade = Trade(
            user=user,
            index=index,
            pair_index=pair.index,
            collateral_index=collateral.index,
            leverage_e3=leverage_e3,
            long=long,
            collateral=amount,
            open_price_e10=at_percent(oracle_e10, spread_p + skew_p),
            tokens=tokens,
            sl_e10=0,
            fee=size * fee_p // 10**12,
            block=self.block,
            sl_block=self.block,
            opened_s=self._now_us // 1_000_000,
            collateral_price_e8=round(price_usd * 1e8),
            funding_acc=funding["accFundingFeeLongP" if long else "accFundingFeeShortP"],
            liquidation=self.parameters["liquidationParams"]["groups"][int(pair.group_index)],
        )
        self.trades[user, index] = trade
        interest.add(long=long, collateral=size, tokens=tokens)
        self._add_to_group(collateral, interest, long=long, size=size)
        impact = (tokens, spread_p, skew_p, trade.open_price_e10)
        self._executed(trade, is_open=True, oracle_e10=oracle_e10, impact=impact)
        self._say("registerTrade", trade.shown(last_oi_update=str(trade.opened_s)))
        self._booked(trade, long=long, price_e10=trade.open_price_e10, profit_p_e10=None)

    def _close(self) -> None:
        trade = self.trades[self._rng.choice(list(self.trades))]
        mark = self._feed.mark(trade.pair_index)
        if mark is None:
            return
        oracle_e10 = round(mark * E10)
        interest = self.interests[trade.collateral_index][trade.pair_index]
        interest.accrue(self._now_us // 1_000_000, self.block, oracle_e10)
        direction = -1 if trade.long else 1
        spread_p = int(self.pairs[trade.pair_index].spread_p) // 2 * direction
        skew_p = interest.skew_p_e10(direction * trade.tokens)
        price_e10 = at_percent(oracle_e10, spread_p + skew_p)
        del self.trades[trade.user, trade.index]
        interest.add(long=trade.long, collateral=-trade.size_collateral, tokens=-trade.tokens)
        collateral = self.spec.collaterals[trade.collateral_index - 1]
        self._add_to_group(collateral, interest, long=trade.long, size=-trade.size_collateral)
        impact = (trade.tokens, spread_p, skew_p, price_e10)
        self._executed(trade, is_open=False, oracle_e10=oracle_e10, impact=impact)
        self._say("unregisterTrade", {"user": trade.user, "index": str(trade.index)})
        profit = trade.profit_p_e10(price_e10)
        self._booked(trade, long=not trade.long, price_e10=price_e10, profit_p_e10=profit)

    def _add_to_group(
        self, collateral: Collateral, interest: Interest, *, long: bool, size: int
    ) -> None:
        if interest.borrowing is not None:
            size_e10 = size * E10 // collateral.unit
            group = self.groups[collateral.index]
            group.add(long=long, size_e10=size_e10, block=self.block)

    def _move_stop(self) -> None:
        if not self.trades:
            return
        trade = self.trades[self._rng.choice(list(self.trades))]
        distance_p = int(E10 * 50_000 / trade.leverage_e3)
        trade.sl_e10 = at_percent(trade.open_price_e10, -distance_p if trade.long else distance_p)
        trade.sl_block = self.block
        trade_id = [trade.user, str(trade.index)]
        self._event("TradeSlUpdated", {"tradeId": trade_id, "newSl": str(trade.sl_e10)})
        self._say("updateTrade", trade.shown(last_oi_update=trade.opened_s))

    def _executed(
        self, trade: Trade, *, is_open: bool, oracle_e10: int, impact: tuple[int, int, int, int]
    ) -> None:
        tokens, spread_p, skew_p, price_e10 = impact
        profit = 0 if is_open else trade.profit_p_e10(price_e10)
        sent = 0 if is_open else trade.collateral * (10**12 + profit) // 10**12
        interest = self.interests[trade.collateral_index][trade.pair_index]
        values = {
            "orderId": [trade.user, str(trade.index)],
            "user": trade.user,
            "index": str(trade.index),
            "t": trade.as_struct(is_open=is_open),
            "open": is_open,
            "oraclePrice": str(oracle_e10),
            "marketPrice": str(at_percent(oracle_e10, interest.skew_p_e10())),
            "liqPrice": "0",
            # Volume impact of the sandbox's own traders is left out of their fills.
            "priceImpact": [
                str(part) for part in (tokens, spread_p, 0, skew_p, spread_p + skew_p, price_e10)
            ],
            "percentProfit": str(profit),
            "amountSentToTrader": str(sent),
            "collateralPriceUsd": str(trade.collateral_price_e8),
        }
        self._event("MarketExecuted", values)

    def _event(self, name: str, values: Mapping[str, Any]) -> None:
        positional = {str(i): value for i, value in enumerate(values.values())}
        value = {
            "event": name,
            "blockNumber": self.block,
            "l1BlockNumber": self.l1_block,
            "transactionHash": f"0x{self._rng.getrandbits(256):064x}",
            "returnValues": {**positional, **values},
        }
        self._say("liveEvent", value)

    def _booked(
        self, trade: Trade, *, long: bool, price_e10: int, profit_p_e10: int | None
    ) -> None:
        """What an open or a close leaves behind: volume, open interest, funding, history."""
        collateral = self.spec.collaterals[trade.collateral_index - 1]
        usd_e18 = trade.size_collateral * trade.collateral_price_e8 * 10**10 // collateral.unit
        if profit_p_e10 is not None and profit_p_e10 <= 0:
            usd_e18 = usd_e18 * _NEGATIVE_PNL_MULTIPLIER_P // 100
        settings = self.parameters["oiWindowsSettings"]
        elapsed_s = self._now_us // 1_000_000 - settings["startTs"]
        window_id = elapsed_s // settings["windowsDuration"]
        windows = self.windows.setdefault(trade.pair_index, Windows())
        windows.add(window_id, long=long, usd_e18=usd_e18)
        where = {
            "pairIndex": str(trade.pair_index),
            "collateralIndex": str(trade.collateral_index),
        }
        window = {"pairIndex": where["pairIndex"], "windowId": str(window_id)}
        self._say("oiWindowUpdated", {**window, "newOi": windows.shown(window_id)})
        interest = self.interests[trade.collateral_index][trade.pair_index]
        self._say("openInterestPairUpdated", {**where, "pairBorrowingFees": interest.shown_oi()})
        self._tell_fees(where, interest, self.groups[collateral.index])
        self._tell_history(trade, price_e10, profit_p_e10, collateral)

    def _tell_fees(self, where: Mapping[str, str], interest: Interest, group: Group) -> None:
        if interest.borrowing is None:
            funding, borrowed = interest.shown_funding(), interest.shown_borrowing()
            self._say("pendingAccFundingFeesStored", {**where, "pairData": funding})
            self._say("pendingAccBorrowingFeesStored", {**where, "pairData": borrowed})
            return
        pair_fees = interest.borrowing.told()
        self._say("accBorrowingFeesPairUpdated", {**where, "pairBorrowingFees": pair_fees})
        of_group = {"groupIndex": str(GROUP), "collateralIndex": where["collateralIndex"]}
        oi = {"oiLong": str(group.long_e10), "oiShort": str(group.short_e10)}
        self._say("openInterestGroupUpdated", {**of_group, "groupBorrowingFees": oi})
        fees = group.borrowing.told()
        self._say("accBorrowingFeesGroupUpdated", {**of_group, "groupBorrowingFees": fees})

    def _tell_history(
        self, trade: Trade, price_e10: int, profit_p_e10: int | None, collateral: Collateral
    ) -> None:
        gained = truncated(trade.collateral * (profit_p_e10 or 0), 10**12)
        record = {
            "name": "new-trade-history",
            "date": iso_ms(self._now_us // 1_000_000 * 1_000_000),
            "pair": self.pairs[trade.pair_index].name,
            "address": trade.user,
            "action": "TradeOpenedMarket" if profit_p_e10 is None else "TradeClosedMarket",
            "price": js_value(price_e10 / E10),
            "collateralPriceUsd": js_value(trade.collateral_price_e8 / 1e8),
            "long": int(trade.long),
            "size": js_value(trade.collateral / collateral.unit),
            "leverage": js_value(trade.leverage_e3 / 1000),
            "pnl_net": js_value(gained / collateral.unit),
            "tx": f"0x{self._rng.getrandbits(256):064x}",
            "collateralIndex": str(trade.collateral_index),
        }
        self._messages.append(orjson.dumps(record))
