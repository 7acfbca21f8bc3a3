"""What the keeper reads of the sandbox's diamond."""

from typing import Any

import pytest
from eth_abi.abi import encode

from sandbox.gains.requests import MARKET_OPEN, read_accounts

ALICE = "0x" + "11" * 20
BOB = "0x" + "22" * 20
INFO = (1, 2, 3, 4, 5, 6, 7, 8, 0)
FEES = (10, -20, 0, 0, 0, 0, 0, 0)
TRADE = (
    "(address,uint32,uint16,uint24,bool,bool,uint8,uint8,uint120,uint64,uint64,uint64,bool,"
    "uint160,uint24)"
)
ACCOUNTS = (
    f"(address,uint256,uint32,{TRADE}[],"
    "(uint32,uint32,uint32,uint16,uint48,uint48,uint8,uint32,uint8)[],"
    "(uint128,int128,uint128,uint128,uint128,uint128,int128,uint128)[],"
    f"({TRADE},address,uint32,bool,uint8,uint32,uint16)[])[]"
)


def trade(user: str, index: int) -> tuple[Any, ...]:
    return (user, index, 1, 5000, True, True, 3, 0, 100, 200, 0, 0, False, 9, 0)


def order(user: str, index: int) -> tuple[Any, ...]:
    return (trade(user, 0), user, index, True, MARKET_OPEN, 77, 1000)


def account(user: str, version: int, trades: int, orders: int) -> tuple[Any, ...]:
    held = [trade(user, index) for index in range(trades)]
    waiting = [order(user, index) for index in range(orders)]
    return (user, version, trades, held, [INFO] * trades, [FEES] * trades, waiting)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [account(ALICE, 1, 0, 0)],
        [account(ALICE, 4, 2, 1), account(BOB, 7, 0, 2), account(ALICE, 5, 1, 0)],
    ],
)
def test_accounts_are_read_one_by_one(rows: list[tuple[Any, ...]]) -> None:
    found, count = read_accounts(encode([ACCOUNTS], [rows]))
    assert count == len(rows)
    told = [(each.user, each.version, each.order_index, each.asked.index) for each in found]
    expected = []
    for user, version, trades, held, _, _, waiting in rows:
        expected += [(user, version, each[2], each[0][1]) for each in waiting]
        expected += [(user, version, None, each[1]) for each in held[:trades]]
    assert told == expected


def test_what_changed_of_an_account_is_read_anew() -> None:
    read_accounts(encode([ACCOUNTS], [[account(ALICE, 1, 1, 0), account(BOB, 1, 0, 1)]]))
    found, _ = read_accounts(encode([ACCOUNTS], [[account(ALICE, 2, 2, 0), account(BOB, 1, 0, 1)]]))
    assert [(each.user, each.version) for each in found] == [(ALICE, 2), (ALICE, 2), (BOB, 1)]
