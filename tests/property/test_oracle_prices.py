"""The arithmetic of oracle venues that is written out for speed, against its plain form."""

from decimal import ROUND_DOWN, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.gains.touch import PoolTerms, fill_e10, touch_e18, truncated
from connectors.gains.values import price_e10
from connectors.gmx import parse
from domain.errors import InputError
from domain.units import format_e18

NOW_S = 1_783_345_320
ADDRESSES = (
    "0x7f9FBf9bDd3F4105C478b996B648FE6e828a1e98",
    "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
)

prices = st.one_of(
    st.integers(min_value=-5, max_value=10**52).map(str),
    st.sampled_from(
        ["", " 5", "1_000", "\u0661", "12.5", "0", "007", "1e5", None, True, 5, 2.5, []]
    ),
)
times = st.one_of(
    st.integers(min_value=NOW_S - 100, max_value=NOW_S + 100),
    st.sampled_from([0, -1, True, None, "now", 1.5]),
)
rows = st.fixed_dictionaries(
    {"tokenAddress": st.sampled_from([*ADDRESSES, ADDRESSES[0].lower(), 7, None, []])},
    optional={"minPrice": prices, "maxPrice": prices, "timestamp": times},
)
usual = st.builds(
    lambda address, low, width, time_s: {
        "tokenAddress": address,
        "minPrice": str(low),
        "maxPrice": str(low + width),
        "timestamp": time_s,
    },
    st.sampled_from(ADDRESSES),
    st.integers(min_value=1, max_value=10**49),
    st.integers(min_value=0, max_value=10**20),
    st.integers(min_value=1, max_value=NOW_S),
)


def one_by_one(body: list[Any]) -> dict[str, Any] | None:
    """What an answer means when nothing is known of its other rows: one that cannot be read, and
    rows that contradict each other, spoil their token."""
    found: dict[str, Any] = {}
    for row in body:
        token = row["tokenAddress"]
        if not isinstance(token, str):
            continue
        # A broken row before it keeps the bulk reading from being used.
        broken = {"tokenAddress": "0x"}
        ticker = _alone([broken, row], token.lower())
        known = found.get(token.lower(), ticker)
        found[token.lower()] = ticker if known == ticker else None
    return found if any(found.values()) else None


def _alone(body: list[Any], token: str) -> Any:
    try:
        return parse.tickers(body, NOW_S * 1_000_000)[token]
    except ValueError:
        return None


@given(st.lists(st.one_of(rows, usual), max_size=4))
def test_an_answer_is_read_at_once_as_it_is_row_by_row(body: list[Any]) -> None:
    try:
        found = parse.tickers(body, NOW_S * 1_000_000)
    except ValueError:
        assert one_by_one(body) is None
    else:
        assert found == one_by_one(body)


@given(st.integers(min_value=0, max_value=10**45), st.integers(min_value=1, max_value=10**30))
def test_a_size_is_the_quotient_cut_to_six_digits(liquidity: int, price_e18: int) -> None:
    size_e18 = liquidity * 10**6 // price_e18
    surplus = 10 ** max(0, len(str(size_e18)) - 6)
    assert parse.size(liquidity, price_e18) == format_e18(size_e18 - size_e18 % surplus)


@given(
    st.integers(min_value=1, max_value=2**64), st.integers(min_value=-(10**14), max_value=10**14)
)
def test_a_fill_divides_as_the_contract_does(oracle_e10: int, impact_p: int) -> None:
    moved = truncated(truncated(oracle_e10 * impact_p, 10**10), 100)
    expected = oracle_e10 + moved if oracle_e10 + moved > 0 else None
    assert fill_e10(oracle_e10, impact_p) == expected
    side = None if expected is None else expected * 10**8
    assert touch_e18(oracle_e10, PoolTerms(impact_p, impact_p)) == (side, side)


@given(st.one_of(st.floats(min_value=0, max_value=1e9), st.integers(min_value=0, max_value=10**9)))
def test_a_json_number_is_cut_off_at_ten_decimals(value: float) -> None:
    expected = int((Decimal(repr(value)) * 10**10).to_integral_value(ROUND_DOWN))
    try:
        assert price_e10(value) == expected
    except InputError:
        assert expected == 0
