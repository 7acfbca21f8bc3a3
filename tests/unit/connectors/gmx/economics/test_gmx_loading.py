"""DataStore values into inputs: nothing guessed, nothing passed over."""

from collections.abc import Callable

import pytest

from connectors.gmx.economics import gas, load
from connectors.gmx.economics.model import ByToken, Sided
from domain.errors import InputError
from tests.unit.connectors.gmx.economics import vectors as v

ROW = v.STATES[4]


def without(row: v.Row, name: str) -> v.Row:
    return {key: value for key, value in row.items() if key != name}


def code(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value.code


# What a state has that no formula takes, or that only one contract version has.
OPTIONAL = {
    "LENT_POSITION_IMPACT_POOL_AMOUNT",
    "POSITION_IMPACT_POOL_DISTRIBUTED_AT",
    "TOTAL_PENDING_IMPACT_AMOUNT",
    "VIRTUAL_INVENTORY_FOR_POSITIONS",
    "VIRTUAL_INVENTORY_FOR_POSITIONS_IN_TOKENS",
    "VIRTUAL_INVENTORY_FOR_SWAPS.longToken",
    "MAX_LENDABLE_IMPACT_FACTOR",
    "MAX_LENDABLE_IMPACT_USD",
    "MIN_POSITION_IMPACT_POOL_AMOUNT",
    "POSITION_IMPACT_POOL_DISTRIBUTION_RATE",
}


@pytest.mark.parametrize("name", sorted(set(ROW["config"]) - OPTIONAL))
def test_a_missing_configuration_value_is_an_error(name: str) -> None:
    assert code(lambda: load.market_config(without(ROW["config"], name))) == "MISSING_VALUE"


@pytest.mark.parametrize("name", sorted(set(ROW["state"]) - OPTIONAL))
def test_a_missing_state_value_is_an_error(name: str) -> None:
    assert code(lambda: load.market_state(without(ROW["state"], name))) == "MISSING_VALUE"


@pytest.mark.parametrize("value", ["", "1.5", "0x10", "1e3", "-1", "٣", 1.5, True, [], "9" * 79])
def test_values_that_are_no_integers(value: object) -> None:
    config = {**ROW["config"], "MIN_COLLATERAL_USD": value}
    assert code(lambda: load.market_config(config)) == "BAD_VALUE"


@pytest.mark.parametrize("value", ["true", 1, "1"])
def test_flags_are_booleans(value: object) -> None:
    name = "USE_OPEN_INTEREST_IN_TOKENS_FOR_BALANCE"
    assert code(lambda: load.market_config({**ROW["config"], name: value})) == "BAD_VALUE"
    assert code(lambda: load.market_config(without(ROW["config"], name))) == "MISSING_VALUE"


def test_integers_need_not_be_text() -> None:
    numbers = {
        name: value if isinstance(value, bool) else int(value)
        for name, value in ROW["config"].items()
    }
    assert load.market_config(numbers) == load.market_config(ROW["config"])


def test_virtual_inventory_exists_where_it_has_an_id() -> None:
    state = ROW["state"]
    nothing, some = "0x" + "0" * 64, "0x" + "0" * 63 + "1"
    assert load.market_state(state).virtual_position_usd_e30 is not None
    gone = without(state, "VIRTUAL_INVENTORY_FOR_POSITIONS")
    assert load.market_state(gone).virtual_position_usd_e30 is None
    none = load.market_state({**state, "VIRTUAL_TOKEN_ID": nothing, "VIRTUAL_MARKET_ID": nothing})
    assert none.virtual_position_usd_e30 is None
    assert none.virtual_position_units is None
    assert none.virtual_pool_units is None
    both = load.market_state({**state, "VIRTUAL_TOKEN_ID": some, "VIRTUAL_MARKET_ID": some})
    assert both == load.market_state(state)


def test_what_only_the_later_contracts_have() -> None:
    plain = load.market_config(ROW["config"])
    assert plain.max_collateral_sum_units is None
    assert plain.funding.max_factor_e30.long == plain.funding.max_factor_e30.short
    assert plain.funding.min_increase_rate_e30 == 0
    sums = {
        f"MAX_COLLATERAL_SUM.{token}.{side}": str(place)
        for place, (side, token) in enumerate(
            (side, token) for side in ("long", "short") for token in ("longToken", "shortToken")
        )
    }
    later = {
        **without(ROW["config"], "MAX_FUNDING_FACTOR_PER_SECOND"),
        **sums,
        "MAX_FUNDING_FACTOR_PER_SECOND.long": "7",
        "MAX_FUNDING_FACTOR_PER_SECOND.short": "8",
        "MIN_FUNDING_INCREASE_RATE_PER_SECOND": "9",
    }
    config = load.market_config(later, single_token=True)
    assert config.max_collateral_sum_units == Sided(ByToken(0, 1), ByToken(2, 3))
    assert config.funding.max_factor_e30 == Sided(7, 8)
    assert config.funding.min_increase_rate_e30 == 9
    assert (config.divisor, plain.divisor) == (2, 1)


@pytest.mark.parametrize(("low", "high"), [("0", "1"), ("2", "1"), ("0", "0")])
def test_prices_that_are_none(low: str, high: str) -> None:
    good, bad = {"min": "1", "max": "1"}, {"min": low, "max": high}
    assert code(lambda: load.market_prices(good, bad, good)) == "BAD_VALUE"


def test_gas_values() -> None:
    values = v.FEES["execution_fee_config"]
    config = gas.gas_config(values)
    assert gas.gas_config({name: int(value) for name, value in values.items()}) == config
    name = "SINGLE_SWAP_GAS_LIMIT"
    assert code(lambda: gas.gas_config(without(values, name))) == "MISSING_VALUE"
    for bad in (-1, "-1", 1.5, True, ""):
        given = {**values, name: bad}
        assert code(lambda given=given: gas.gas_config(given)) == "BAD_VALUE"  # type: ignore[misc]
    assert gas.minimum_gas(config, "swap", swap_path_length=2) == (
        config.base_gas
        + 5 * config.gas_per_oracle_price
        + config.swap_order_gas
        + 2 * config.single_swap_gas
    )
