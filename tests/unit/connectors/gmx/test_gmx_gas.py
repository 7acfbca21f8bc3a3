"""What an order costs whatever its size, from a node's answers."""

import json
from decimal import Decimal
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.base.protocol import HttpReply
from connectors.gmx import constants as c
from connectors.gmx.addresses import contracts
from connectors.gmx.economics.pricing import NO_FIXED, Fixed
from connectors.gmx.gas_poll import GasSession
from connectors.gmx.polls import TickersSession
from connectors.gmx.rpc import Nodes
from domain.errors import VenueProtocolError, VenueUnavailable
from tests.servers import LOOPBACK
from tests.unit.connectors.gmx.economics import vectors as v
from tests.unit.connectors.gmx.kit import ETH, START_NS, Poll, S, dump, state, ticker
from tests.unit.connectors.gmx.test_gmx_connector import serving

STORE = contracts(42161, "v2.2c", {})["DATA_STORE"]
GAS_PRICE = 10_000_000


def answers(**change: Any) -> list[dict[str, Any]]:
    """The values of the vectors, at their gas price."""
    results: dict[str, Any] = {
        "eth_chainId": "0xa4b1",
        "eth_gasPrice": hex(GAS_PRICE),
        **{name: f"0x{int(v.FEES['execution_fee_config'][name]):064x}" for name in c.GAS_KEYS},
    } | change
    return [{"jsonrpc": "2.0", "id": name, "result": text} for name, text in results.items()]


class GasPoll(Poll):
    def __init__(self) -> None:
        super().__init__(lambda of, _markets, blame, ns: GasSession(of, 42161, STORE, blame, ns))
        self.tickers = Poll(TickersSession, of=self.state)

    def price(self, eth_usd: int) -> None:
        self.tickers.now_ns = self.now_ns
        self.tickers.tickers(ticker(ETH, f"{eth_usd}" + "0" * 12))

    def fixed(self) -> Fixed:
        return self.state.book.fixed(self.now_ns)


def test_the_request_asks_for_the_keys_of_the_contracts() -> None:
    poll = GasPoll()
    poll.wait(121)
    assert len(poll.asked) == 3
    calls = {call["id"]: call for call in json.loads(poll.asked[0])}
    assert calls.pop("eth_chainId")["method"] == "eth_chainId"
    assert calls.pop("eth_gasPrice")["method"] == "eth_gasPrice"
    selector = keccak(text="getUint(bytes32)")[:4]
    assert {name: call["params"] for name, call in calls.items()} == {
        name: [
            {"to": STORE, "data": "0x" + (selector + keccak(encode(["string"], [name]))).hex()},
            "latest",
        ]
        for name in c.GAS_KEYS
    }


def test_the_fee_is_the_smallest_that_the_contracts_take() -> None:
    case = v.FEES["execution_fees"][0]
    assert (case["order_type"], case["gas_price"]) == ("MarketIncrease", str(GAS_PRICE))
    poll = GasPoll()
    poll.price(2000)
    assert poll.fixed() == NO_FIXED
    poll.answer(answers()[::-1])
    assert poll.session.healthy
    fee_usd = Decimal(case["minimum_wei"]) * 2000 / 10**18
    assert poll.fixed() == Fixed(Decimal("0.02"), fee_usd)
    poll.price(2001)
    # Rounded up after four places.
    assert poll.fixed() == Fixed(Decimal("0.0201"), Decimal("0.0871"))


def test_a_fee_without_a_price_or_too_old_is_unknown() -> None:
    poll = GasPoll()
    poll.answer(answers())
    assert poll.fixed() == NO_FIXED
    poll.now_ns += 200 * S
    poll.price(2000)
    assert poll.fixed() != NO_FIXED
    poll.now_ns += 1
    poll.price(2000)
    assert poll.fixed() == NO_FIXED


@pytest.mark.parametrize(
    "body",
    [
        None, {}, [], [7], {"error": {"code": -32600}},
        answers(eth_chainId="0x1"), answers(eth_gasPrice="0x0"), answers(eth_gasPrice="0x"),
        answers(INCREASE_ORDER_GAS_LIMIT="0x" + "0" * 64),
        answers(INCREASE_ORDER_GAS_LIMIT="0x"), answers(SINGLE_SWAP_GAS_LIMIT=None),
        answers(SINGLE_SWAP_GAS_LIMIT=7), answers(SINGLE_SWAP_GAS_LIMIT="0x" + "f" * 65),
        answers()[1:], answers()[:-1], [{"id": "eth_chainId", "error": {"code": -32000}}],
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_tells_nothing(body: Any) -> None:
    poll = GasPoll()
    poll.price(2000)
    assert poll.answer(body) == []
    assert (poll.blamed, poll.fixed()) == (1, NO_FIXED)


# Nodes ------------------------------------------------------------------------------------------


async def test_nodes_are_asked_in_turn() -> None:
    body = dump(answers())
    async with serving({}, {"batch": b"[]"}, {"batch": body}) as servers:
        nodes = Nodes(
            ["http://127.0.0.1:1/key", *(server.url + "/key" for server in servers)], LOOPBACK
        )
        session = GasSession(state(), 42161, STORE, nodes.blame, START_NS)
        session.advance(START_NS)
        (request,) = session.outgoing()
        for expected in (b"[]", body):
            answer = await nodes.post(request)
            assert answer == expected
            session.receive(HttpReply(request, answer), 0, START_NS)
        assert session.healthy
        assert [len(server.posted) for server in servers] == [2, 1, 1]
        assert servers[2].posted == [json.loads(request)]
        await nodes.close()


@pytest.mark.parametrize(
    ("bodies", "code"), [({}, "HTTP_404"), ({"batch": b"x" * 100_000}, "BODY_TOO_LARGE")]
)
async def test_no_node_answers(bodies: dict[str, bytes], code: str) -> None:
    async with serving(bodies) as (server,):
        nodes = Nodes([server.url + "/secret"], LOOPBACK)
        with pytest.raises((VenueUnavailable, VenueProtocolError)) as refused:
            await nodes.post("[]")
        assert refused.value.code == code
        assert "secret" not in refused.value.message
        await nodes.close()


@pytest.mark.parametrize("urls", [(), ("http://127.0.0.1:1",), ("http://[",)])
async def test_there_is_no_node(urls: tuple[str, ...]) -> None:
    nodes = Nodes(urls, LOOPBACK)
    with pytest.raises(VenueUnavailable) as refused:
        await nodes.post("[]")
    assert refused.value.code == "UNREACHABLE"
    await nodes.close()
