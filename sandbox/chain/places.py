"""What stands where on the chains of the sandbox: contracts at the addresses of the real ones,
tokens, and the accounts that have something from the first block on. No import of weight: the
supervisor reads it at its start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

ARBITRUM: Final = 42161
POLYGON: Final = 137
BASE: Final = 8453
CHAINS: Final = (ARBITRUM, POLYGON, BASE)

GENESIS: Final = Path(__file__).parent.parent / "data" / "chains"
# Each chain is reached at two addresses, so that one can fail without the other.
ENDPOINTS: Final = ("a", "b")

# Seconds between blocks that no transaction asks for, each of which makes one at once; and while
# nobody has sent one for a while. A client may take a node for dead after 10 s without a block.
BLOCK_S: Final[Mapping[int, int]] = {ARBITRUM: 1, POLYGON: 2, BASE: 2}
QUIET_BLOCK_S: Final = 4
# Wei a unit of gas. Left alone the fee falls with empty blocks.
BASE_FEE_WEI: Final[Mapping[int, int]] = {
    ARBITRUM: 10_000_000,
    POLYGON: 30_000_000_000,
    BASE: 10_000_000,
}

# Chain id -> name -> address: gmx-io/gmx-synthetics ``deployments`` of release v2.2c and
# GainsNetwork-org/sdk ``addresses.ts``. Names are those of the settings.
CONTRACTS: Final[Mapping[int, Mapping[str, str]]] = {
    ARBITRUM: {
        "EXCHANGE_ROUTER": "0x7dE39FF2e232A2203196788d37e234cF8F1b83f1",
        "ROUTER": "0x7452c558d45f8afC8c83dAe62C3f8A5BE19c71f6",
        "ORDER_VAULT": "0x31eF83a530Fde1B38EE9A18093A333D8Bbbc40D5",
        "READER": "0xfA26cBb46e2614609406de08CA1Dc7f70a684184",
        "DATA_STORE": "0xFD70de6b91282D8017aA4E741e9Ae325CAb992d8",
        "EVENT_EMITTER": "0xC8ee91A54287DB53897056e12D9819156D3822Fb",
        "ORDER_HANDLER": "0xa5D2d45228ee2E3A18AB122B2cE84997d008f4Eb",
        "ROLE_STORE": "0x3c3d99FD298f679DBC2CEcd132b4eC4d0F5e6e72",
        "GAINS_DIAMOND": "0xFF162c694eAA571f685030649814282eA457f169",
        "ARB_SYS": "0x0000000000000000000000000000000000000064",
    },
    POLYGON: {"GAINS_DIAMOND": "0x209A9A01980377916851af2cA075C2b170452018"},
    BASE: {"GAINS_DIAMOND": "0x6cD5aC19a07518A8092eEFfDA4f1174C72704eeb"},
}
# The router of the release before: it stands there without its roles.
ROTATED_OUT_ROUTER: Final = "0x1C3fa76e6E1088bCE750f23a5BFcffa1efEF6A41"
# Its reader still answers, in its own layout.
OLDER_READER: Final = "0x470fbC46bcC0f16532691Df360A07d8Bf5ee0789"


class TokenSpec(NamedTuple):
    address: str
    decimals: int


# Collateral of GMX pools and of gTrade. Base has a second one that nobody has found the place of.
TOKENS: Final[Mapping[int, Mapping[str, TokenSpec]]] = {
    ARBITRUM: {
        "USDC": TokenSpec("0xaf88d065e77c8cC2239327C5EDb3A432268e5831", 6),
        "WETH": TokenSpec("0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", 18),
        "WBTC": TokenSpec("0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f", 8),
        "DAI": TokenSpec("0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", 18),
        "GNS": TokenSpec("0x18c11FD286C5EC11c3b683Caa813B77f5163A122", 18),
        "USDT": TokenSpec("0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9", 6),
        "USDC.e": TokenSpec("0xFF970A61A04b1cA14834A43f5dE4533eBDDB5CC8", 6),
        "ARB": TokenSpec("0x912CE59144191C1204E64559FE8253a0e49E6548", 18),
        "LINK": TokenSpec("0xf97f4df75117a78c1A5a0DBb814Af92458539FB4", 18),
        "SOL": TokenSpec("0x2bcC6D6CdBbDC0a4071e48bb3B969b06B3330c07", 9),
        "AAVE": TokenSpec("0xba5DdD1f9d7F570dc94a51479a000E3BCE967196", 18),
        "ANIME": TokenSpec("0x37a645648dF29205C6261289983FB04ECD70b4B3", 18),
        "APE": TokenSpec("0x7f9FBf9bDd3F4105C478b996B648FE6e828a1e98", 18),
        "APE_deprecated": TokenSpec("0x74885b4D524d497261259B38900f54e6dbAd2210", 18),
        "AVAX": TokenSpec("0x565609fAF65B92F7be02468acF86f8979423e514", 18),
        "BNB": TokenSpec("0xa9004A5421372E1D83fB1f85b0fc986c912f91f3", 18),
        "GMX": TokenSpec("0xfc5A1A6EB076a2C7aD06eD22C90d7E710E35ad0a", 18),
        "OP": TokenSpec("0xaC800FD6159c2a2CB8fC31EF74621eB430287a5A", 18),
        "PENDLE": TokenSpec("0x0c880f6761F1af8d9Aa9C466984b80DAb9a8c9e8", 18),
        "PEPE": TokenSpec("0x25d887Ce7a35172C62FeBFD67a1856F20FaEbB00", 18),
        "UNI": TokenSpec("0xFa7F8980b0f1E64A2062791cc3b0871572f1F7f0", 18),
        "USDe": TokenSpec("0x5d3a1Ff2b6BAb83b63cd9AD0787074081a52ef34", 18),
        "WIF": TokenSpec("0xA1b91fe9FD52141Ff8cac388Ce3F10BFDc1dE79d", 6),
        "tBTC": TokenSpec("0x6c84a8f1c29108F47a79964b5Fe888D4f4D0dE40", 18),
        "wstETH": TokenSpec("0x5979D7b546E38E414F7E9822514be443A4800529", 18),
    },
    POLYGON: {
        "USDC": TokenSpec("0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", 6),
        "WETH": TokenSpec("0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619", 18),
        "DAI": TokenSpec("0x8f3Cf7ad23Cd3CaDbD9735AFf958023239c6A063", 18),
    },
    BASE: {"USDC": TokenSpec("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", 6)},
}
# What a faucet account has of each of these, in whole tokens; ether is the node's own gift.
FAUCET: Final[Mapping[str, int]] = {"USDC": 1_000_000, "DAI": 1_000_000, "WETH": 500, "WBTC": 20}


class Account(NamedTuple):
    address: str
    private_key: str


# Accounts of the mnemonic that every node of this kind begins with; their keys are public.
ACCOUNTS: Final = (
    Account(
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    ),
    Account(
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    ),
    Account(
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    ),
    Account(
        "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    ),
    Account(
        "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    ),
)
# The last of them. Nobody sends from it but the sandbox.
KEEPER: Final = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"
