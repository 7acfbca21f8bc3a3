"""Where the diamonds are and what they take as collateral.

Source: diamonds GainsNetwork-org/sdk src/contracts/addresses.json (a8c6987), collateral indices its
src/contracts/index.ts, tokens recorded ``/trading-variables`` of Arbitrum and Arbitrum Sepolia. The
tokens of Polygon and Base are the public addresses of what DefiLlama's adapter names: nothing that
was recorded has them, so ``getCollateral`` of the chain is compared with them before an opening.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.errors import InputError


@dataclass(frozen=True, slots=True)
class CollateralToken:
    """``wrapped_native``: its native coin can be sent in its place."""

    index: int
    symbol: str
    address: str
    decimals: int
    wrapped_native: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """The gTrade of one chain. Everything is sent to the ``diamond``, which also takes the tokens:
    approvals are for it."""

    chain_id: int
    diamond: str
    collaterals: tuple[CollateralToken, ...]

    def by_symbol(self, symbol: str) -> CollateralToken:
        """Raises InputError ``UNKNOWN_COLLATERAL``."""
        for token in self.collaterals:
            if token.symbol == symbol:
                return token
        raise InputError("UNKNOWN_COLLATERAL", f"no {symbol:.20} on chain {self.chain_id}")

    def by_index(self, index: int) -> CollateralToken | None:
        """None for one that was listed since."""
        return next((token for token in self.collaterals if token.index == index), None)


_DEPLOYMENTS: Final = (
    Deployment(
        42161,
        "0xFF162c694eAA571f685030649814282eA457f169",
        (
            CollateralToken(1, "DAI", "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", 18),
            CollateralToken(
                2, "WETH", "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", 18, wrapped_native=True
            ),
            CollateralToken(3, "USDC", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", 6),
            CollateralToken(4, "GNS", "0x18c11FD286C5EC11c3b683Caa813B77f5163A122", 18),
        ),
    ),
    Deployment(
        137,
        "0x209A9A01980377916851af2cA075C2b170452018",
        (
            CollateralToken(1, "DAI", "0x8f3Cf7ad23Cd3CaDbD9735AFf958023239c6A063", 18),
            CollateralToken(2, "WETH", "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619", 18),
            CollateralToken(3, "USDC", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", 6),
        ),
    ),
    Deployment(
        8453,
        "0x6cD5aC19a07518A8092eEFfDA4f1174C72704eeb",
        (CollateralToken(1, "USDC", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", 6),),
    ),
    Deployment(
        421614,
        "0xd659a15812064C79E189fd950A189b15c75d3186",
        (
            CollateralToken(1, "DAI", "0xfBb7E7FEE1525958bf5a4F04ed8D7be547AB6d27", 18),
            CollateralToken(
                2, "WETH", "0x980B62Da83eFf3D4576C647993b0c1D7faf17c73", 18, wrapped_native=True
            ),
            CollateralToken(3, "USDC", "0x4cC7EbEeD5EA3adf3978F19833d2E1f3e8980cD6", 6),
            CollateralToken(4, "GNS", "0xA5a0eB8710f9a949ad5F4501C3494F2FdA58FFe3", 18),
        ),
    ),
)

DEPLOYMENTS: Final[Mapping[int, Deployment]] = {item.chain_id: item for item in _DEPLOYMENTS}


def deployment(deployments: Mapping[int, Deployment], chain_id: int | str) -> Deployment:
    """Raises InputError ``UNKNOWN_CHAIN``."""
    found = deployments.get(chain_id) if isinstance(chain_id, int) else None
    if found is None:
        raise InputError("UNKNOWN_CHAIN", f"no gTrade on chain {chain_id!s:.20}")
    return found
