"""The sandbox role: one price process, the venue replicas that follow it, and the control
endpoint."""

import asyncio

from runtime.settings import Settings
from sandbox import control
from sandbox.chain.genesis import ARBITRUM
from sandbox.dydx.server import Replica as DydxReplica
from sandbox.faults import FaultBoard
from sandbox.gains.server import Replica as GainsReplica
from sandbox.gmx import chain
from sandbox.gmx.server import Replica as GmxReplica
from sandbox.prices import PriceProcess, load_assets


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Runs until ``stop``; a part that fails ends them all."""
    prices = PriceProcess(load_assets(), settings.sandbox_seed)
    board = FaultBoard()
    seed, rate = settings.sandbox_seed, settings.sandbox_rate
    gmx = GmxReplica(prices, board, seed=seed, rate=rate)
    gains = GainsReplica(prices, board, seed=seed, rate=rate)
    async with asyncio.TaskGroup() as parts:
        for replica, port in (
            (DydxReplica(prices, board, seed=seed, rate=rate), settings.sandbox_dydx_port),
            (gmx, settings.sandbox_gmx_port),
            (gains, settings.sandbox_gains_port),
        ):
            parts.create_task(replica.run(port, stop))
        if arbitrum := settings.sandbox_chain_urls.get(ARBITRUM):
            parts.create_task(chain.tell(arbitrum, gmx.keeper.orders, stop))
        app = control.Control(board, prices, gains.feed.hours).app()
        parts.create_task(control.serve(app, settings.sandbox_control_port, stop))
