"""The oracle keeper and the API of GMX on Arbitrum on one port: plain HTTP."""

from random import Random
from typing import Final

from websockets.http11 import Request

from sandbox.faults import FaultBoard, Kind
from sandbox.gmx import keeper, rest
from sandbox.gmx.catalogue import load_catalogue
from sandbox.gmx.keeper import Keeper
from sandbox.gmx.rest import Rest
from sandbox.port import Answer, Client, Port
from sandbox.prices import PriceProcess

FAULT_KINDS: Final[tuple[Kind, ...]] = (
    *keeper.FAULT_KINDS,
    *rest.FAULT_KINDS,
    "drop",
    "half_open",
)


class Replica(Port):
    def __init__(self, prices: PriceProcess, board: FaultBoard, *, seed: int, rate: float) -> None:
        super().__init__("gmx", board)
        catalogue = load_catalogue()
        self.keeper = Keeper(catalogue, prices, seed=seed, rate=rate, now_us=self.now_us())
        self.rest = Rest(self.keeper, Random(f"{seed}:rest"))
        board.register(self.venue, FAULT_KINDS, catalogue.markets)

    def new_client(self) -> "HttpClient":
        return HttpClient(self)

    def step(self, now_us: int) -> None:
        self.keeper.turn(now_us, self.faults)


class HttpClient(Client):
    def __init__(self, replica: Replica) -> None:
        super().__init__(replica)
        self._replica = replica

    def answer(self, request: Request) -> Answer:
        return self._replica.rest.answer(request.method, request.path, self._replica.faults)
