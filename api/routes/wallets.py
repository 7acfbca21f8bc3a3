"""``/v1/wallets``: dYdX accounts that the signed-in account has shown to be its own."""

import base64
from typing import Any

from starlette.responses import Response

from api import query
from api.endpoints import Asked, Endpoint
from api.schemas import identity as schemas
from api.schemas.base import Data, Nothing, Rows
from api.schemas.identity import LinkBody, LinkNonceBody, WalletAddress
from db.instants import microseconds
from db.wallets import Wallet
from runtime.clock import iso_ms


async def list_wallets(asked: Asked[None, Nothing, None]) -> Response:
    found = await asked.context.links.of_account(asked.identity.account)
    return query.answer([_row(wallet) for wallet in found], next_cursor=None)


async def nonce(asked: Asked[None, Nothing, LinkNonceBody]) -> Response:
    address = asked.body.address
    challenge = await asked.context.links.challenge(asked.identity.account, address)
    return query.answer(
        {
            "nonce": challenge.nonce,
            "address": address,
            "message": challenge.text,
            "sign_doc": base64.b64encode(challenge.document).decode(),
            "expires_at": iso_ms(challenge.expires_us),
        }
    )


async def link(asked: Asked[None, Nothing, LinkBody]) -> Response:
    body = asked.body
    wallet = await asked.context.links.link(
        asked.identity.account, body.nonce, body.address, body.public_key, body.signature
    )
    answer = query.answer(_row(wallet))
    answer.status_code = 201
    return answer


async def unlink(asked: Asked[WalletAddress, Nothing, Nothing]) -> Response:
    await asked.context.links.unlink(asked.identity.account, asked.path.address)
    return query.answer({"unlinked": True})


def _row(wallet: Wallet) -> dict[str, Any]:
    return {
        "venue": wallet.venue,
        "address": wallet.address,
        "public_key": base64.b64encode(wallet.public_key).decode(),
        "linked_at": iso_ms(microseconds(wallet.linked_at)),
    }


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/wallets",
        "Wallets that are linked",
        "auth",
        list_wallets,
        Rows[schemas.Wallet],
        access="session",
        scope="read",
    ),
    Endpoint(
        "POST",
        "/v1/wallets/dydx/nonce",
        "A message to link a dYdX account with",
        "auth",
        nonce,
        Data[schemas.LinkChallenge],
        body=LinkNonceBody,
        errors=["REDIS_UNAVAILABLE"],
        access="session",
    ),
    Endpoint(
        "POST",
        "/v1/wallets/dydx",
        "Link a dYdX account with the signed message",
        "auth",
        link,
        Data[schemas.Wallet],
        body=LinkBody,
        errors=["LINK_REFUSED", "TOO_MANY_WALLETS", "REDIS_UNAVAILABLE", "AUTH_BUSY"],
        access="session",
        limit="login",
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/v1/wallets/dydx/{address}",
        "Unlink a dYdX account",
        "auth",
        unlink,
        Data[schemas.Unlinked],
        params=WalletAddress,
        access="session",
    ),
)
