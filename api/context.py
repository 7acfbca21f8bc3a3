"""What the routes work with."""

from dataclasses import dataclass

from starlette.requests import Request

from api.auth.links import Links
from api.auth.service import Auth
from api.executor_health import ExecutorHealth
from api.health import Health
from api.history import PriceHistory
from api.ladders import LadderPricer
from api.limits import RateLimiter
from api.orders.desk import OrderDesk
from api.orders.flattening import FlattenDesk
from api.quotes import QuoteReader
from api.routing.desk import RoutingDesk
from api.rpc_health import RpcHealth
from api.tape.board import Board


@dataclass(frozen=True, slots=True)
class Context:
    """One for the process."""

    board: Board
    quotes: QuoteReader
    ladders: LadderPricer
    health: Health
    auth: Auth
    links: Links
    history: PriceHistory
    limits: RateLimiter
    rpc: RpcHealth
    routing: RoutingDesk
    orders: OrderDesk
    flattening: FlattenDesk
    executor: ExecutorHealth


def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context
