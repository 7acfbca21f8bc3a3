"""Who asks."""

from dataclasses import dataclass

from api.auth.tokens import Claims
from db.accounts import Account
from domain.errors import InputError


class AuthError(InputError):
    """401."""


@dataclass(frozen=True, slots=True)
class Identity:
    """``claims``: of the access token, or of an API key what a token of it would say. ``scopes``:
    what the key may do; None: it is a person's session, which may do everything."""

    account: Account
    claims: Claims
    scopes: frozenset[str] | None = None
