"""What the routes work with."""

from dataclasses import dataclass

from starlette.requests import Request

from api.candles import CandleHistory
from api.health import Health
from api.quotes import QuoteReader
from api.tape.board import Board


@dataclass(frozen=True, slots=True)
class Context:
    """One for the process."""

    board: Board
    quotes: QuoteReader
    health: Health
    candles: CandleHistory


def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context
