"""Asks the chain whether the configured exchange router is the one in use."""

import asyncio
from collections.abc import Mapping
from typing import Final

import httpx
import orjson
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from connectors.gmx import constants as c
from connectors.gmx.eventlog import number
from connectors.gmx.parse import MALFORMED
from domain.errors import VenueProtocolError, VenueUnavailable
from runtime.dialer import Dialer, HttpClient, bounded_body

TIMEOUT_S: Final = 5.0
MAX_BODY_BYTES: Final = 64 * 1024


async def router_roles(
    dialer: Dialer, url: str, chain_id: int, role_store: str, router: str
) -> Mapping[str, bool]:
    """Whether ``router`` has each of ROUTER_ROLES: without them every order it takes is refused.

    Raises VenueUnavailable, or VenueProtocolError (``WRONG_CHAIN``, ``GARBAGE``; the latter also
    where there is no RoleStore). Messages do not show the URL: it may hold a key.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S), dialer.http(TIMEOUT_S) as client:
            found = number(await _call(client, url, "eth_chainId", []))
            if found != chain_id:
                raise VenueProtocolError("WRONG_CHAIN", f"chain {found} instead of {chain_id}")
            roles = {}
            for name, role in c.ROUTER_ROLES.items():
                words = encode(["address", "bytes32"], [router, bytes.fromhex(role[2:])])
                call = {"to": role_store, "data": c.HAS_ROLE + words.hex()}
                answer = await _call(client, url, "eth_call", [call, "latest"])
                (roles[name],) = decode(["bool"], bytes.fromhex(answer[2:]))
            return roles
    except VenueProtocolError:
        raise
    except (TimeoutError, httpx.TimeoutException):
        raise VenueUnavailable("TIMEOUT", "the node does not answer") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise VenueUnavailable("UNREACHABLE", type(error).__name__) from None
    except (*MALFORMED, DecodingError) as error:
        raise VenueProtocolError("GARBAGE", f"{error!r:.200}") from None


async def _call(client: HttpClient, url: str, method: str, params: list[object]) -> str:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with client.stream("POST", url, json=request) as response:
        body = await bounded_body(response, MAX_BODY_BYTES)
    result = orjson.loads(body)["result"]
    if not isinstance(result, str):
        raise TypeError("the result is no text")
    return result
