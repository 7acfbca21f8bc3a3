"""Contract addresses by chain and release. Pure.

Source: v2.2c gmx-io/gmx-interface ``sdk/src/configs/contracts.ts`` at a78e920e; v2.2b
gmx-io/gmx-synthetics ``deployments`` at a5c0c883. An upgrade replaces what takes or reads orders;
stores, the event emitter and the router that holds the approvals have never changed.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from eth_utils.address import to_checksum_address

from connectors.gmx.orders.abi import Version
from domain.errors import InputError

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")

_UNCHANGED: Final[Mapping[int, Mapping[str, str]]] = {
    42161: {
        "ROUTER": "0x7452c558d45f8afC8c83dAe62C3f8A5BE19c71f6",
        "ORDER_VAULT": "0x31eF83a530Fde1B38EE9A18093A333D8Bbbc40D5",
        "DATA_STORE": "0xFD70de6b91282D8017aA4E741e9Ae325CAb992d8",
        "EVENT_EMITTER": "0xC8ee91A54287DB53897056e12D9819156D3822Fb",
        "ROLE_STORE": "0x3c3d99FD298f679DBC2CEcd132b4eC4d0F5e6e72",
        "REFERRAL_STORAGE": "0xe6fab3F0c7199b0d34d7FbE83394fc0e0D06e99d",
    },
    421614: {
        "ROUTER": "0x72F13a44C8ba16a678CAD549F17bc9e06d2B8bD2",
        "ORDER_VAULT": "0x1b8AC606de71686fd2a1AEDEcb6E0EFba28909a2",
        "DATA_STORE": "0xCF4c2C4c53157BcC01A596e3788fFF69cBBCD201",
        "EVENT_EMITTER": "0xa973c2692C1556E1a3d478e745e9a75624AEDc73",
        "ROLE_STORE": "0x433E3C47885b929aEcE4149E3c835E565a20D95c",
        "REFERRAL_STORAGE": "0xBbCdA58c228Bb29B5769778181c81Ac8aC546c11",
    },
}

NEWEST: Final[Version] = "v2.2c"

_OF_RELEASE: Final[Mapping[tuple[int, Version], Mapping[str, str]]] = {
    (42161, "v2.2c"): {
        "EXCHANGE_ROUTER": "0x7dE39FF2e232A2203196788d37e234cF8F1b83f1",
        "READER": "0xfA26cBb46e2614609406de08CA1Dc7f70a684184",
        "ORDER_HANDLER": "0xa5D2d45228ee2E3A18AB122B2cE84997d008f4Eb",
        "SIMULATION_ROUTER": "0xaD3051cB1aE3a86b335f12A9a41BD4d995a137ea",
        "SUBACCOUNT_ROUTER": "0x9c05880A2AaD7530c69e18e342eDC9E06cc757db",
    },
    (42161, "v2.2b"): {
        "EXCHANGE_ROUTER": "0x1C3fa76e6E1088bCE750f23a5BFcffa1efEF6A41",
        "READER": "0x470fbC46bcC0f16532691Df360A07d8Bf5ee0789",
        "ORDER_HANDLER": "0x63492B775e30a9E6b4b4761c12605EB9d071d5e9",
        "SUBACCOUNT_ROUTER": "0xdD00F639725E19a209880A44962Bc93b51B1B161",
    },
    (421614, "v2.2c"): {
        "EXCHANGE_ROUTER": "0x6B489dD5bB1AAE8df246359d59aA7316760a75d2",
        "READER": "0x92659fEf40582ceCC3CBa4D096d28291C238D358",
        "SIMULATION_ROUTER": "0x82f1bb43b7E93dE4c38EC3198ed13e33D0904555",
        "SUBACCOUNT_ROUTER": "0xAFdD3e0B6c162974594AcA157eA642B8847CC5b1",
    },
    (421614, "v2.2b"): {
        "EXCHANGE_ROUTER": "0xEd50B2A1eF0C35DAaF08Da6486971180237909c3",
        "READER": "0x4750376b9378294138Cf7B7D69a2d243f4940f71",
        "ORDER_HANDLER": "0x000F692690F6C39660AfB878D277f038fb3a8eC6",
        "SUBACCOUNT_ROUTER": "0xCF45A7E8bB46738f454eC6766631E5612DA90836",
    },
}


def address(text: object) -> str:
    """A checksummed address. Raises InputError ``BAD_ADDRESS``, also for a wrong checksum; text in
    one case has none."""
    if not isinstance(text, str) or _ADDRESS.fullmatch(text) is None:
        raise InputError("BAD_ADDRESS", f"not an address: {text!r:.60}")
    checksummed, digits = _checksummed(text.lower()), text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != checksummed:
        raise InputError("BAD_ADDRESS", f"wrong checksum: {text}")
    return checksummed


# The same lists come every half minute, and a checksum takes a hash.
@lru_cache(maxsize=1024)
def _checksummed(text: str) -> str:
    return to_checksum_address(text)


def release(chain_id: int, configured: Mapping[str, str], said: Version | None = None) -> Version:
    """The release whose contracts are configured, the newest one where that says nothing.

    Raises InputError ``BAD_ADDRESS`` where addresses are of a release that is not ``said``, or of
    two: answers of one Reader are not to be read as the other's.
    """
    found: set[Version] = {
        version
        for (chain, version), table in _OF_RELEASE.items()
        for name, text in configured.items()
        if chain == chain_id and table.get(name, "").lower() == text.lower()
    }
    if said is not None:
        found.add(said)
    if len(found) > 1:
        names = " and ".join(sorted(found))
        raise InputError("BAD_ADDRESS", f"contracts of {names} at once; see PERP_GMX_VERSION")
    return next(iter(found), NEWEST)


def contracts(chain_id: int, version: Version, configured: Mapping[str, str]) -> Mapping[str, str]:
    """Checksummed addresses by name (``EXCHANGE_ROUTER``); what is configured comes first.

    Raises InputError ``BAD_ADDRESS``.
    """
    table = dict(_UNCHANGED[chain_id]) | dict(_OF_RELEASE[chain_id, version])
    return table | {name: address(text) for name, text in configured.items()}
