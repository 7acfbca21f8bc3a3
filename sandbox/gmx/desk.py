"""The keeper's desk for GMX: which orders are there, and what is to be told of them now. Pure: time
is an argument."""

from collections.abc import Mapping
from typing import Final

from sandbox.chain.desk import Desk, Instructions, Now
from sandbox.chain.places import ARBITRUM, BASE_FEE_WEI, CONTRACTS
from sandbox.gmx.execution import Market, NotDue, Oracle, Prices, execute
from sandbox.gmx.keeper import Keeper
from sandbox.gmx.oracle import Ticker
from sandbox.gmx.orders import Order, Settlement, pending_call, read_pending, settle_call
from sandbox.gmx.outcomes import AUTO_CANCEL, cancelled, executed, frozen, refused
from sandbox.gmx.pools import PoolState
from sandbox.gmx.refusals import Refusal, refuse

_GAS_PRICE_WEI: Final = BASE_FEE_WEI[ARBITRUM]


class ReplicaOracle:
    """Prices and markets as the replica of GMX has them at the moment."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._pools: Mapping[str, PoolState] = {
            state.pool.recorded["marketToken"].lower(): state for state in keeper.pools
        }
        self._tickers: Mapping[str, Ticker] = {
            address.lower(): ticker for address, ticker in keeper.tickers.items()
        }

    def market(self, token: str) -> Market | None:
        state = self._pools.get(token)
        if state is None or state.pool.index is None:
            return None
        return Market(
            index=state.pool.index.address.lower(),
            long=state.pool.long.address.lower(),
            short=state.pool.short.address.lower(),
            fee_factor=state.terms.fee_factor[1],
            available_usd=(state.long.available_usd, state.short.available_usd),
            is_disabled=not self._keeper.is_listed(state.pool),
        )

    def prices(self, token: str) -> Prices | None:
        ticker = self._tickers.get(token)
        if ticker is None or ticker.is_missing or not 0 < ticker.min_price <= ticker.max_price:
            return None
        return Prices(ticker.min_price, ticker.max_price)


class GmxDesk(Desk[Order]):
    def __init__(self, oracle: Oracle) -> None:
        super().__init__(CONTRACTS[ARBITRUM]["ORDER_HANDLER"])
        self._oracle = oracle

    def page_call(self, start: int, end: int) -> bytes:
        return pending_call(start, end)

    def read_page(self, answer: bytes) -> tuple[list[Order], int]:
        orders = read_pending(answer)
        return orders, len(orders)

    def identify(self, entry: Order) -> tuple[object, ...]:
        return entry.key, entry.updated_s, entry.is_frozen

    def owner(self, entry: Order) -> tuple[str, int]:
        return entry.account, entry.version

    def decide(self, entry: Order, now: Now, instructions: Instructions) -> bytes | None:
        if entry.is_frozen:
            return None
        settlements = self._settled(entry, now, instructions)
        return settle_call(settlements) if settlements else None

    def _settled(self, order: Order, now: Now, instructions: Instructions) -> list[Settlement]:
        if instructions.mode == "freeze":
            if order.is_market:
                return []
            return [frozen(order, order.version, self._too_dear(order), _GAS_PRICE_WEI)]
        try:
            fill = execute(order, self._oracle, now.s)
            if instructions.mode == "cancel":
                raise self._too_dear(order)
        except NotDue:
            return []
        except Refusal as refusal:
            return [refused(order, order.version, refusal, _GAS_PRICE_WEI)]
        done = [executed(order, order.version, fill, now.s, _GAS_PRICE_WEI)]
        if fill.position.size_usd == 0:
            others = [
                other
                for other in self.entries
                if other.position_key == order.position_key
                and other.auto_cancel
                and not other.is_increase
                and other.key != order.key
            ]
            done += [
                cancelled(other, order.version + i, AUTO_CANCEL, None, _GAS_PRICE_WEI)
                for i, other in enumerate(others, start=1)
            ]
        return done

    def _too_dear(self, order: Order) -> Refusal:
        """What an order is given back with on request."""
        market = self._oracle.market(order.market)
        prices = None if market is None else self._oracle.prices(market.index)
        price = 0 if prices is None else prices.min
        return refuse(
            "OrderNotFulfillableAtAcceptablePrice(uint256,uint256)", price, order.acceptable
        )
