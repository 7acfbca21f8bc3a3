"""What the Reader and the DataStore are asked, and their answers as viem encodes them."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from connectors.gmx.economics.checks import OrderType
from connectors.gmx.orders import keys, reader
from connectors.gmx.orders.abi import Version
from domain.errors import InputError
from tests.unit.connectors.gmx.kit import RECORDED
from tests.unit.connectors.gmx.orders.kit import ETH_USDC, KEY, OWNER, USDC, VIEM
from tests.unit.connectors.gmx.orders.test_gmx_calls import REFERENCE, VERSIONS, raw

KEYS: dict[str, Any] = json.loads((RECORDED / "datastore-keys.json").read_bytes())
ADDRESS = "0x" + "5" * 40


@pytest.mark.parametrize("row", KEYS["vectors"], ids=lambda row: row["name"])
def test_keys_are_those_of_the_prebuilt_table(row: dict[str, Any]) -> None:
    found = keys.key(row["name"], tuple(row["types"]), tuple(row["args"]))
    assert f"0x{found.hex()}" == row["key"]


@pytest.mark.parametrize(("name", "key"), KEYS["global"].items())
def test_keys_that_take_nothing(name: str, key: str) -> None:
    assert f"0x{keys.key(name).hex()}" == key


@pytest.mark.parametrize(("name", "row"), KEYS["compound"].items())
def test_keys_take_the_base_of_the_table_and_its_arguments(name: str, row: dict[str, Any]) -> None:
    types = [kind.split()[0] for kind in row["args"]]
    samples = {"address": ADDRESS, "bool": True, "uint256": 7, "bytes32": b"\x09" * 32}
    values = [samples[kind] for kind in types]
    packed = encode(["bytes32", *types], [raw(row["base"]), *values])
    assert keys.key(name, tuple(types), tuple(values)) == keccak(packed)


def test_a_position_has_the_key_of_the_reference() -> None:
    row = REFERENCE["position_key"]
    arguments = (row["account"], row["market"], row["collateralToken"], row["isLong"])
    assert keys.position_key(*arguments) == row["key"]


def test_values_are_asked_for_by_key() -> None:
    call = keys.uint_call(ADDRESS, raw(KEY))
    assert (call.to, call.data.hex()) == (ADDRESS, "bd02d0f5" + KEY[2:])
    assert keys.bool_call(ADDRESS, raw(KEY)).data.hex() == "7ae1cfca" + KEY[2:]
    assert keys.uint((7).to_bytes(32)) == 7
    assert keys.flag((1).to_bytes(32)) is True


@pytest.mark.parametrize("version", VERSIONS)
def test_an_order_is_read_in_its_releases_layout(version: Version) -> None:
    found = reader.order(version, KEY, raw(VIEM["answers"][version]["order"]))
    assert found == reader.StoredOrder(
        key=KEY,
        account=OWNER,
        market=ETH_USDC.lower(),
        collateral_token=USDC,
        order_type=OrderType.LIMIT_INCREASE,
        is_long=True,
        size_usd_e30=10_000 * 10**30,
        collateral_units=1_000_000_000,
        trigger_usd_e30=1880000000000000,
        acceptable_usd_e30=1891354981243218,
        execution_fee_wei=5,
        min_output=0,
        valid_from_s=0,
        updated_at_s=1_795_000_206,
        is_frozen=True,
        auto_cancel=False,
    )
    listed = reader.account_orders(version, raw(VIEM["answers"][version]["orders"]))
    assert [order.key for order in listed] == [KEY, "0x" + "0" * 64]
    assert listed[0] == found
    assert reader.order(version, KEY, raw(VIEM["answers"][version]["no_order"])) is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["order", "orders"])
def test_the_other_releases_layout_is_refused_and_not_misread(version: Version, name: str) -> None:
    other: Version = "v2.2b" if version == "v2.2c" else "v2.2c"
    answer = raw(VIEM["answers"][other][name])
    read: Callable[[bytes], object] = partial(reader.order, version, KEY)
    if name == "orders":
        read = partial(reader.account_orders, version)
    with pytest.raises(InputError) as refused:
        read(answer)
    assert refused.value.code == "BAD_CALLDATA"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_position_is_read(version: Version) -> None:
    found = reader.position(version, raw(VIEM["answers"][version]["position"]))
    assert found == reader.StoredPosition(
        account=OWNER,
        market=ETH_USDC.lower(),
        collateral_token=USDC,
        is_long=True,
        size_usd_e30=1_000 * 10**30,
        size_units=333333333333333333,
        collateral_units=199_400_000,
    )
    assert reader.position(version, raw(VIEM["answers"][version]["no_position"])) is None


@pytest.mark.parametrize("answer", [b"", b"\0" * 31, raw(VIEM["reverts"]["text"])])
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    for read in (keys.uint, keys.flag):
        with pytest.raises(InputError):
            read(answer)
    with pytest.raises(InputError):
        reader.position("v2.2c", answer)


def test_questions_name_the_store_and_what_is_asked() -> None:
    word = "0" * 24 + "5" * 40
    asked = reader.order_call("v2.2c", OWNER, ADDRESS, KEY)
    assert asked.to == OWNER
    assert asked.data.hex()[8:] == word + KEY[2:]
    owned = reader.account_orders_call("v2.2b", OWNER, ADDRESS, OWNER)
    assert owned.data.hex()[8:] == word + "0" * 24 + "1" * 40 + "0" * 64 + f"{1000:064x}"
    assert reader.position_call("v2.2c", OWNER, ADDRESS, KEY).data[4:] == asked.data[4:]
