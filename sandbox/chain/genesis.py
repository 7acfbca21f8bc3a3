"""The state a chain of the sandbox begins with: its contracts, each at the address of the real one,
and what is written in them. ``python -m sandbox.chain.genesis`` writes it down anew, after the
contracts were built; starting a node reads what was written."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from sandbox.chain.places import (
    ACCOUNTS,
    CHAINS,
    CONTRACTS,
    FAUCET,
    GENESIS,
    OLDER_READER,
    ROTATED_OUT_ROUTER,
    TOKENS,
)
from sandbox.gains.catalogue import load_chains, load_pairs, load_parameters
from sandbox.gmx.catalogue import load_catalogue

BUILT: Final = Path(__file__).parent.parent / "contracts" / "built.json"

_CODE: Final = {
    "EXCHANGE_ROUTER": "ExchangeRouter",
    "ROUTER": "Router",
    "ORDER_VAULT": "OrderVault",
    "READER": "Reader",
    "DATA_STORE": "DataStore",
    "EVENT_EMITTER": "EventEmitter",
    "ORDER_HANDLER": "OrderHandler",
    "ROLE_STORE": "RoleStore",
    "GAINS_DIAMOND": "Diamond",
    "ARB_SYS": "ArbSys",
}
_ROLES: Final = (
    ("EXCHANGE_ROUTER", "CONTROLLER"),
    ("EXCHANGE_ROUTER", "ROUTER_PLUGIN"),
    ("ORDER_HANDLER", "CONTROLLER"),
)
# Gas of orders, and what is added to it: the defaults of the public repository's configuration.
GAS: Final = {
    "INCREASE_ORDER_GAS_LIMIT": 3_000_000,
    "DECREASE_ORDER_GAS_LIMIT": 3_000_000,
    "SWAP_ORDER_GAS_LIMIT": 2_500_000,
    "SINGLE_SWAP_GAS_LIMIT": 1_000_000,
    "ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1": 600_000,
    "ESTIMATED_GAS_FEE_PER_ORACLE_PRICE": 250_000,
    "ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR": 10**30,
}
_SETTINGS: Final = GAS | {
    "REQUEST_EXPIRATION_TIME": 300,
    "CLAIMABLE_COLLATERAL_TIME_DIVISOR": 3600,
    "CLAIMABLE_COLLATERAL_DELAY": 5 * 86_400,
    "MIN_COLLATERAL_USD": 10**30,
    "MIN_POSITION_SIZE_USD": 10**30,
}
_BLOCK_GAS: Final = 60_000_000
# Where a chain writes the hash of every block (EIP-2935), for contracts that ask. None here does,
# and the node copies what is written with every state it keeps.
_HASHES: Final = "0x0000F90827F1C53a10cb7A02335B175320002935"
_STOP: Final = "0x00"
# Wrapped ether of pools and vaults that leaves as ether comes from here.
_ETHER: Final = hex(10**9 * 10**18)

# The keeper tells the price of ether when it starts.
_FIRST_ETHER_USD: Final = 3000.0
_WRAPPED: Final = {42161: "WETH"}

_Storage = dict[str, str]


def genesis(chain_id: int) -> dict[str, Any]:
    """In the format of geth. Dev accounts get their ether from the node."""
    built = json.loads(BUILT.read_bytes())
    places = CONTRACTS[chain_id]
    storages = {"GAINS_DIAMOND": _diamond(chain_id)}
    if "DATA_STORE" in places:
        storages |= {"DATA_STORE": _data_store(), "ROLE_STORE": _role_store(places)}
    alloc: dict[str, Any] = {
        address: _entry(built[_CODE[name]]["code"], storages.get(name, {}))
        for name, address in places.items()
    }
    for name in ("GAINS_DIAMOND", "ORDER_HANDLER"):
        if name in places:
            alloc[places[name]]["balance"] = _ETHER
    for symbol, token in TOKENS[chain_id].items():
        storage = _token(symbol, token.decimals)
        alloc[token.address] = _entry(built["Token"]["code"], storage)
    if "EXCHANGE_ROUTER" in places:
        alloc[ROTATED_OUT_ROUTER] = _entry(built["ExchangeRouter"]["code"], {})
        alloc[OLDER_READER] = _entry(built["OlderReader"]["code"], {})
    alloc[_HASHES] = _entry(_STOP, {})
    return {
        "config": {"chainId": chain_id},
        "gasLimit": hex(_BLOCK_GAS),
        "difficulty": "0x0",
        "alloc": alloc,
    }


def main() -> None:
    for chain_id in CHAINS:
        written = json.dumps(genesis(chain_id), separators=(",", ":"))
        (GENESIS / f"{chain_id}.json").write_text(written + "\n")


def _entry(code: str, storage: _Storage) -> dict[str, Any]:
    return {"balance": "0x0", "code": code, "storage": storage}


def _role_store(places: Mapping[str, str]) -> _Storage:
    """``hasRole`` is the first variable."""
    return {
        _hex(keccak(_key(role) + keccak(encode(["address", "uint256"], [places[name], 0])))): _word(
            1
        )
        for name, role in _ROLES
    }


def _data_store() -> _Storage:
    """Variables in their order: numbers, integers, addresses, flags, words, then the members of a
    set of words and their places, and the same for addresses."""
    storage = {_slot(_key(name), 0): _word(value) for name, value in _SETTINGS.items()}
    markets = [pool.recorded for pool in load_catalogue().pools]
    members = _slot(_key("MARKET_LIST"), 7)
    places = keccak(_key("MARKET_LIST") + _padded(8))
    storage[members] = _word(len(markets))
    first = int.from_bytes(keccak(bytes.fromhex(members[2:])))
    for i, market in enumerate(markets):
        token = market["marketToken"]
        storage[_word(first + i)] = _address(token)
        storage[_hex(keccak(encode(["address"], [token]) + places))] = _word(i + 1)
        for name, field in (
            ("MARKET_TOKEN", "marketToken"),
            ("INDEX_TOKEN", "indexToken"),
            ("LONG_TOKEN", "longToken"),
            ("SHORT_TOKEN", "shortToken"),
        ):
            if int(market[field], 16):
                key = keccak(encode(["address", "bytes32"], [token, _key(name)]))
                storage[_slot(key, 2)] = _address(market[field])
    return storage


def _token(symbol: str, decimals: int) -> _Storage:
    """Variables in their order: balances, allowances, supply, name, symbol, decimals."""
    amount = FAUCET.get(symbol, 0) * int(10**decimals)
    storage = {3: _text(symbol), 4: _text(symbol), 5: _word(decimals)}
    words = {_word(place): word for place, word in storage.items()}
    if amount:
        words[_word(2)] = _word(amount * len(ACCOUNTS))
        for account in ACCOUNTS:
            words[_slot(encode(["address"], [account.address]), 0)] = _word(amount)
    return words


def _diamond(chain_id: int) -> _Storage:
    """Variables in their order: collaterals, how many, their prices, limits of pairs, how many, the
    time-out in blocks, the wrapped token of the chain, whether trading is on."""
    (spec,) = (spec for spec in load_chains() if spec.chain_id == chain_id)
    parameters = load_parameters()
    words: _Storage = {
        _word(1): _word(len(spec.collaterals)),
        _word(4): _word(len(load_pairs())),
        _word(5): _word(parameters["marketOrdersTimeoutBlocks"]),
    }
    if chain_id in _WRAPPED:
        words[_word(6)] = _address(TOKENS[chain_id][_WRAPPED[chain_id]].address)
    for collateral in spec.collaterals:
        place = int(_slot(_padded(collateral.index), 0), 16)
        flag = int(collateral.is_active) << 160
        words[_word(place)] = _word(int(collateral.token, 16) | flag)
        delta = int(10 ** (18 - collateral.decimals))
        words[_word(place + 1)] = _word(collateral.unit | delta << 128)
        price = _FIRST_ETHER_USD if collateral.price_usd is None else collateral.price_usd
        words[_slot(_padded(collateral.index), 2)] = _word(round(price * 10**8))
    words |= dict(_limits(parameters))
    return words


def _limits(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for pair in load_pairs():
        group = parameters["groups"][int(pair.group_index)]
        fee = parameters["fees"][int(pair.fee_index)]
        fee_p = int(fee["totalPositionSizeFeeP"])
        least_usd = int(fee["minPositionSizeUsd"]) * 10**15
        packed = int(group["minLeverage"])
        packed |= (pair.max_leverage or int(group["maxLeverage"])) << 24
        packed |= least_usd * fee_p // 10**12 << 48
        packed |= least_usd << 128
        packed |= fee_p << 216
        yield _slot(_padded(pair.index), 3), _word(packed)


def _key(name: str) -> bytes:
    """What the contracts of GMX call a role or a value by."""
    return keccak(encode(["string"], [name]))


def _slot(key: bytes, variable: int) -> str:
    """Where a mapping has the value of a key."""
    return _hex(keccak(key + _padded(variable)))


def _padded(value: int) -> bytes:
    return value.to_bytes(32)


def _hex(word: bytes) -> str:
    return f"0x{word.hex()}"


def _word(value: int) -> str:
    return f"0x{value:064x}"


def _address(text: str) -> str:
    return _word(int(text, 16))


def _text(text: str) -> str:
    """A string of less than 32 bytes, with twice its length in the last."""
    raw = text.encode()
    return _hex(raw.ljust(31, b"\0") + bytes([2 * len(raw)]))


if __name__ == "__main__":
    main()
