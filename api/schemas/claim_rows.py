"""What orders tell of claims."""

from api.schemas.base import DecimalText, Told
from domain.outcomes import ClaimKind


class DueRow(Told):
    kind: ClaimKind
    symbol: str
    amount: DecimalText


class KeptRow(Told):
    """What the venue kept back of a close, to be claimed later."""

    symbol: str
    amount: DecimalText
    tx_hash: str
    log_index: int


class ClaimRow(KeptRow):
    """What was paid out."""

    kind: ClaimKind
