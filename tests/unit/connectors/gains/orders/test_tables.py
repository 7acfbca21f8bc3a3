"""Where things are, against what is known of them elsewhere in the project."""

from eth_utils.address import to_checksum_address

from connectors.base.markets import AssetClass, load
from connectors.gains.constants import CHAINS
from connectors.gains.orders.builder import GainsOrders
from connectors.gains.orders.deployments import DEPLOYMENTS
from connectors.gains.orders.tables import PairRef, tables
from domain.ids import MarketId
from sandbox.chain.places import CONTRACTS, TOKENS
from tests.unit.connectors.gains.economics.pools import POOL
from tests.unit.connectors.gains.orders.desk import exited
from tests.unit.connectors.gains.world import recorded


def test_a_diamond_on_every_chain_that_is_priced() -> None:
    chains = {chain_id for hosts in CHAINS.values() for chain_id in hosts}
    assert set(DEPLOYMENTS) == chains
    for chain_id, contracts in CONTRACTS.items():
        assert DEPLOYMENTS[chain_id].diamond == contracts["GAINS_DIAMOND"]


def test_tokens_are_those_of_the_chain() -> None:
    for chain_id, known in TOKENS.items():
        for token in DEPLOYMENTS[chain_id].collaterals:
            assert (token.address, token.decimals) == known[token.symbol]
    for found in DEPLOYMENTS.values():
        for token in found.collaterals:
            assert to_checksum_address(token.address) == token.address
            assert found.by_index(token.index) is token
        assert found.by_index(99) is None


def test_the_recorded_collateral_of_the_test_network() -> None:
    (row,) = recorded("trading-variables.sepolia.2025-06-15.cut.json")["collaterals"]
    token = DEPLOYMENTS[421614].by_symbol(row["symbol"])
    assert (token.index, token.address.lower(), token.decimals) == (
        row["collateralIndex"],
        row["collateral"].lower(),
        int(row["collateralConfig"]["decimals"]),
    )


def test_pairs_are_those_of_the_table() -> None:
    found = tables(load())
    assert found.pair(MarketId("BTC-USD")) == PairRef(0, AssetClass.CRYPTO)
    assert found.pair(MarketId("EUR-USD")) == PairRef(21, AssetClass.FX)
    assert len(found.pairs) > 100


def test_a_builder_of_the_table_reads_everything_once() -> None:
    orders = GainsOrders(tables(load()), lambda market, pool: POOL)
    assert len(orders.reads(exited())) == len(set(orders.reads(exited()))) == 6
