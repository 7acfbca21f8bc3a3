"""The rules that EIP-4361 takes from RFC 3986 (URIs) and RFC 3339 (times). ASCII only."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_UNRESERVED: Final = r"A-Za-z0-9\-._~"
_SUB_DELIMS: Final = r"!$&'()*+,;="
_PERCENT: Final = r"%[0-9A-Fa-f]{2}"
_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+\-.]*"


def _characters(allowed: str) -> str:
    """One of ``allowed``, or one that is percent-encoded."""
    return rf"(?:[{allowed}]|{_PERCENT})"


_PCHAR: Final = _characters(rf"{_UNRESERVED}{_SUB_DELIMS}:@")
_PATH: Final = _characters(rf"{_UNRESERVED}{_SUB_DELIMS}:@/")
_QUERY: Final = _characters(rf"{_UNRESERVED}{_SUB_DELIMS}:@/?")
_USERINFO: Final = _characters(rf"{_UNRESERVED}{_SUB_DELIMS}:")
_NAME: Final = _characters(rf"{_UNRESERVED}{_SUB_DELIMS}")
# An IPv4 address is a name too.
_AUTHORITY: Final = rf"(?:{_USERINFO}*@)?(?P<host>\[(?P<literal>[^\[\]]*)\]|{_NAME}*)(?::[0-9]*)?"

_SCHEME_RULE: Final = re.compile(_SCHEME)
_AUTHORITY_RULE: Final = re.compile(_AUTHORITY)
_URI_RULE: Final = re.compile(
    rf"{_SCHEME}:(?://{_AUTHORITY}(?:/{_PATH}*)?|/?(?:{_PCHAR}{_PATH}*)?)"
    rf"(?:\?{_QUERY}*)?(?:#{_QUERY}*)?"
)
_PCHARS_RULE: Final = re.compile(rf"{_PCHAR}*")
_STATEMENT_RULE: Final = re.compile(rf"[{_UNRESERVED}{_SUB_DELIMS}:/?#\[\]@ ]*")
_FUTURE_RULE: Final = re.compile(rf"[vV][0-9A-Fa-f]+\.[{_UNRESERVED}{_SUB_DELIMS}:]+")
_GROUP_RULE: Final = re.compile(r"[0-9A-Fa-f]{1,4}")
_OCTETS_RULE: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_TIME_RULE: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_GROUPS_OF_IPV6: Final = 8


def is_scheme(text: str) -> bool:
    return _SCHEME_RULE.fullmatch(text) is not None


def is_domain(text: str) -> bool:
    """An authority whose host is not empty."""
    found = _AUTHORITY_RULE.fullmatch(text)
    return found is not None and found["host"] != "" and _is_literal(found["literal"])


def is_uri(text: str) -> bool:
    found = _URI_RULE.fullmatch(text)
    return found is not None and _is_literal(found["literal"])


def is_statement(text: str) -> bool:
    """RFC 3986 reserved and unreserved characters and spaces."""
    return _STATEMENT_RULE.fullmatch(text) is not None


def is_request_id(text: str) -> bool:
    """RFC 3986 ``*pchar``."""
    return _PCHARS_RULE.fullmatch(text) is not None


def instant(text: str) -> datetime:
    """An RFC 3339 date-time in UTC, what is finer than microseconds cut off.

    Raises ValueError. A leap second counts as the second after it.
    """
    found = _TIME_RULE.fullmatch(text)
    if found is None:
        raise ValueError("no RFC 3339 date-time")
    to_minute, second, fraction, offset = found.groups()
    leap = second == "60"
    moment = datetime.fromisoformat(f"{to_minute}:{'59' if leap else second}{offset}")
    try:
        moment = moment.astimezone(UTC)
        if not leap:
            return moment.replace(microsecond=int(((fraction or "0") + "00000")[:6]))
        if (moment.hour, moment.minute) != (23, 59):
            raise ValueError("leap seconds end a day of UTC")
        return moment + timedelta(seconds=1)
    except OverflowError:
        raise ValueError("out of range") from None


def _is_literal(text: str | None) -> bool:
    """What stands in brackets; None: nothing does."""
    return text is None or _FUTURE_RULE.fullmatch(text) is not None or _is_ipv6(text)


def _is_ipv6(text: str) -> bool:
    head, elided, tail = text.partition("::")
    groups = head.split(":") if head or not elided else []
    groups += tail.split(":") if tail else []
    if not elided or tail:
        *groups, last = groups
        if _OCTETS_RULE.fullmatch(last):
            # Zeros in front are against the letter of the RFC and in the public test vectors.
            if any(int(octet) > 255 for octet in last.split(".")):
                return False
            groups += ["0", "0"]
        else:
            groups.append(last)
    count_right = len(groups) < _GROUPS_OF_IPV6 if elided else len(groups) == _GROUPS_OF_IPV6
    return count_right and all(_GROUP_RULE.fullmatch(group) for group in groups)
