"""The sandbox role: one price process, the venue replicas that follow it, and the control
endpoint."""

import asyncio
from typing import Any

from runtime.settings import Settings
from sandbox import control
from sandbox.chain.desk import Desk, Instructions
from sandbox.chain.keeper import Chain
from sandbox.chain.node import Node
from sandbox.chain.places import ARBITRUM
from sandbox.dydx.server import Replica as DydxReplica
from sandbox.faults import FaultBoard
from sandbox.gains.desk import GainsDesk
from sandbox.gains.desk import ReplicaOracle as GainsOracle
from sandbox.gains.server import Replica as GainsReplica
from sandbox.gmx import chain
from sandbox.gmx.desk import GmxDesk
from sandbox.gmx.desk import ReplicaOracle as GmxOracle
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
        instructions = Instructions()
        chains = own_chains(settings, gmx, gains)
        for each in chains.values():
            parts.create_task(each.run(instructions, stop))
        app = control.Control(board, prices, gains.feed.hours, instructions, chains, seed).app()
        parts.create_task(control.serve(app, settings.sandbox_control_port, stop))


def own_chains(settings: Settings, gmx: GmxReplica, gains: GainsReplica) -> dict[int, Chain]:
    """By id: those that we run, each with the venues that stand on it."""
    chains = {}
    for chain_id, url in settings.sandbox_chain_urls.items():
        replica = gains.chains[chain_id]
        desks: list[Desk[Any]] = [GainsDesk(chain_id, GainsOracle(replica, gains.feed))]
        if chain_id == ARBITRUM:
            desks.append(GmxDesk(GmxOracle(gmx.keeper)))
        chains[chain_id] = Chain(chain_id, Node(url, chain_id), desks)
    return chains
