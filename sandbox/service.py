"""The sandbox role: one price process, the venue replicas that follow it, and the control
endpoint."""

import asyncio

from runtime.settings import Settings
from sandbox import control
from sandbox.dydx.server import Replica as DydxReplica
from sandbox.faults import FaultBoard
from sandbox.gains.server import Replica as GainsReplica
from sandbox.gmx.server import Replica as GmxReplica
from sandbox.prices import PriceProcess, load_assets


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Runs until ``stop``; a part that fails ends them all."""
    prices = PriceProcess(load_assets(), settings.sandbox_seed)
    board = FaultBoard()
    replicas = (
        (DydxReplica, settings.sandbox_dydx_port),
        (GmxReplica, settings.sandbox_gmx_port),
        (GainsReplica, settings.sandbox_gains_port),
    )
    async with asyncio.TaskGroup() as parts:
        for make, port in replicas:
            replica = make(prices, board, seed=settings.sandbox_seed, rate=settings.sandbox_rate)
            parts.create_task(replica.run(port, stop))
        app = control.Control(board, prices).app()
        parts.create_task(control.serve(app, settings.sandbox_control_port, stop))
