"""The format of the market map: what a table may say, and the report on live lists."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import markets_report
from connectors.base.markets import DYDX, FIAT, GAINS, MarketMap, load, parse
from connectors.base.markets_report import Listed, compare
from domain.errors import InvariantViolation
from domain.ids import MarketId

DATA = Path(__file__).resolve().parents[2] / "data"

SMALL = """
schema = 1
[markets.crypto]
BTC-USD = { dydx = "BTC-USD", gains = { index = 0, name = "BTC/USD" } }
ETH-USD = { gmx = { token = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", symbol = "ETH" } }
[markets.fx]
USD-JPY = { gains = { index = 22, name = "USD/JPY" } }
[[unmapped.gains]]
reason = "delisted: gone"
pairs = [{ index = 4, name = "MATIC/USD" }]
[[unmapped.dydx]]
reason = "test: none"
tickers = ["TEST-USD"]
[rules.dydx]
pattern = '^[A-Z0-9]{2,10}-USD$'
scaled_prefixes = ["1000"]
[[rules.dydx.deny]]
reason = "ambiguous: two"
tickers = ["SPX-USD"]
"""

ETH_ROW = 'ETH-USD = { gmx = { token = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "schema must be 1"),
        ("schema = 1", "schema = 1\ncomment = 1", "unknown key comment"),
        ("schema = 1", "schema = ", "not TOML"),
        ("[markets.fx]", "[markets.bonds]", "unknown asset class"),
        ("[markets.fx]", "[markets.fx]\nBTC-USD = { dydx = 'A-USD' }", "used twice"),
        ("[markets.fx]", "BTC-USD = { dydx = 'A-USD' }\n[markets.fx]", "not TOML"),
        ("USD-JPY =", "USD-XYZ =", "canonical name"),
        ("USD-JPY =", "USD-USD =", "two different fiat codes"),
        ("USD-JPY =", "BTC-JPY =", "two different fiat codes"),
        ("BTC-USD = {", "EUR-USD = {", "only fx markets"),
        ("BTC-USD = {", "BTC-EUR = {", "only fx markets"),
        ("BTC-USD = {", "btc-USD = {", "canonical name"),
        ("BTC-USD = {", '"BTC USD" = {', "canonical name"),
        ("BTC-USD = {", "BTCUSD = {", "canonical name"),
        ("BTC-USD = {", "BTC-USD = { cex = 'BTC', ", "unknown key cex"),
        ('dydx = "BTC-USD"', 'dydx = "BTC-EUR"', "dydx is a ticker"),
        ('dydx = "BTC-USD"', "dydx = 0", "dydx is a ticker"),
        ("index = 0,", "index = 22,", "gains key 22 is in"),
        ("index = 0,", "index = 4,", "gains key 4 is unmapped and in"),
        ("index = 0,", "index = true,", "gains index is a uint16"),
        ("index = 0,", "index = -1,", "gains index is a uint16"),
        ("index = 0,", "index = 65536,", "gains index is a uint16"),
        ("index = 0,", 'index = "0",', "gains index is a uint16"),
        ("index = 0,", "", "gains index is a uint16"),
        ('name = "BTC/USD"', 'name = "BTC-USD"', "gains name is FROM/TO"),
        (', name = "BTC/USD"', "", "gains needs name"),
        ('name = "BTC/USD"', 'name = "BTC/USD", pool = 1', "unknown key pool"),
        ('"0x82aF', '"82aF', "gmx token is an address"),
        ('symbol = "ETH"', 'symbol = ""', "gmx needs symbol"),
        (
            "[markets.fx]",
            ETH_ROW.replace("ETH-", "WETH-").replace("0x82aF", "0x82AF")
            + ', symbol = "WETH" } }\n[markets.fx]',
            "gmx key 0x82af49447d8a07e3bd95bd0d56f35241523fbab1 is in",
        ),
        ('reason = "delisted: gone"', 'reason = "gone"', "reason is 'kind: explanation'"),
        ('reason = "delisted: gone"', 'reason = "guess: gone"', "reason is 'kind: explanation'"),
        ('reason = "delisted: gone"', "", "reason is 'kind: explanation'"),
        ('pairs = [{ index = 4, name = "MATIC/USD" }]', "", "not a list"),
        ('tickers = ["TEST-USD"]', 'tickers = ["TEST-USD", "TEST-USD"]', "listed twice"),
        ('tickers = ["TEST-USD"]', 'tickers = ["BTC-USD"]', "is unmapped and in"),
        ('tickers = ["SPX-USD"]', 'tickers = ["BTC-USD"]', "is denied and in"),
        ('tickers = ["SPX-USD"]', 'tickers = ["TEST-USD"]', "is denied and in"),
        ("pattern = '^[A-Z0-9]{2,10}-USD$'", "pattern = '.*'", "pattern must end in -USD$"),
        ("pattern = '^[A-Z0-9]{2,10}-USD$'", "pattern = '[-USD$'", "pattern: "),
        ('scaled_prefixes = ["1000"]', 'scaled_prefixes = [""]', "scaled_prefixes"),
        ("[rules.dydx]", "[rules.gains]\npattern = ''\n[rules.dydx]", "unknown key gains"),
        ("[[unmapped.dydx]]", "[[unmapped.cex]]", "unknown key cex"),
        ("[[unmapped.dydx]]", "[unmapped.dydx]", "not a list"),
    ],
)
def test_a_broken_table_is_refused(old: str, new: str, message: str) -> None:
    parse(SMALL)
    assert old in SMALL
    with pytest.raises(InvariantViolation) as caught:
        parse(SMALL.replace(old, new, 1))
    assert caught.value.code == "bad_market_table"
    assert message in caught.value.message


def _line(name: str, index: int, pair: str) -> str:
    return f'"{name}" = {{ gains = {{ index = {index}, name = "{pair}" }} }}\n'


_BASES = st.from_regex(r"[A-Z0-9.]{1,8}", fullmatch=True).filter(lambda base: base not in FIAT)


@given(st.lists(st.tuples(_BASES, st.integers(0, 65_535)), max_size=8))
def test_a_table_parses_exactly_when_names_and_keys_are_unique(
    lines: list[tuple[str, int]],
) -> None:
    text = "schema = 1\n[markets.crypto]\n" + "".join(
        _line(f"{base}-USD", index, "A/USD") for base, index in lines
    )
    bases, indices = [base for base, _ in lines], [index for _, index in lines]
    unique = len(set(bases)) == len(bases) and len(set(indices)) == len(indices)
    if unique:
        parsed = parse(text)
        assert [row.base for row in parsed.rows()] == bases
        for base, index in lines:
            assert parsed.canonical(GAINS, index, "A/USD") == f"{base}-USD"
            assert parsed.canonical(GAINS, index, "B/USD") is None
    else:
        with pytest.raises(InvariantViolation):
            parse(text)


@given(st.text(max_size=12))
def test_only_canonical_names_are_accepted(name: str) -> None:
    quoted = json.dumps(name, ensure_ascii=True)
    text = f'schema = 1\n[markets.crypto]\n{quoted} = {{ dydx = "A-USD" }}\n'
    parsed = _parse_or_fault(text)
    if isinstance(parsed, MarketMap):
        assert [row.market for row in parsed.rows()] == [name]
        assert name.endswith("-USD")
    else:
        assert parsed == "bad_market_table"


@given(st.text(max_size=60))
def test_any_text_is_a_table_or_a_named_fault(text: str) -> None:
    assert isinstance(_parse_or_fault(text), MarketMap | str)


def _parse_or_fault(text: str) -> MarketMap | str:
    try:
        return parse(text)
    except InvariantViolation as error:
        return error.code


# --- the report -----------------------------------------------------------------------------------


def test_report_counts_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = str(DATA / "gains" / "pairs.sdk-2026-03-25.json")
    assert markets_report.main(["gains", pairs]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gains: 301 mapped, 151 unmapped, 0 in the table but not in the list"
    assert any(line.startswith("  unmapped 300 BTCDEGEN/USD: twin: ") for line in lines)


def test_report_names_what_a_list_lost() -> None:
    report = compare(load(), DYDX, [Listed("BTC-USD", "BTC-USD")])
    assert report.mapped == ((Listed("BTC-USD", "BTC-USD"), MarketId("BTC-USD")),)
    assert "ETH-USD" in report.gone
    assert "BTC-USD" not in report.gone


@pytest.mark.parametrize("arguments", [[], ["gmx", "one.json"], ["cex", "one.json"]])
def test_report_explains_itself(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert markets_report.main(arguments) == 2
    assert "markets_report" in capsys.readouterr().err
