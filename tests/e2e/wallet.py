"""A wallet for the page: announced as EIP-1193 has it, its key held by the test, its transactions
sent to the nodes of the sandbox."""

from typing import Any, Final

import httpx
import orjson
from eth_account import Account
from eth_account.messages import encode_defunct
from playwright.sync_api import Page

from tests.e2e.kit import Program

ARBITRUM: Final = 42161
POLYGON: Final = 137
DECLINED: Final = 4001
TIMEOUT_S: Final = 20.0
_SCRIPT: Final = """
window.ethereum = {
  async request({ method, params }) {
    const said = await window.askWallet(method, JSON.stringify(params ?? []));
    const { result, error } = JSON.parse(said);
    if (error) throw Object.assign(new Error(error.message), error);
    return result;
  },
  on() {},
};
"""


def funded(program: Program, chain_id: int, eth: str = "5", usdc: str = "20000") -> str:
    """The key of a new account that has so much on a chain."""
    account = Account.create()
    body = {"address": account.address, "chain_id": chain_id, "eth": eth, "usdc": usdc}
    control = program.runtime["sandbox"]["control_url"]
    httpx.post(f"{control}/fund", json=body, timeout=TIMEOUT_S).raise_for_status()
    return "0x" + bytes(account.key).hex()


class Declined(Exception):
    """The user said no."""


class Wallet:
    """``asked``: the methods that were called, in order. ``decline``: the next thing to sign is
    refused. Says its address in lower case, as many wallets do."""

    def __init__(self, program: Program, eth: str = "5", usdc: str = "20000") -> None:
        self.key = Account.from_key(funded(program, ARBITRUM, eth, usdc))
        self.asked: list[str] = []
        self.decline = False
        self._chain = 1
        self._urls: dict[str, list[str]] = program.runtime["rpc_urls"]

    def inject(self, page: Page) -> None:
        """Before the page is opened."""
        page.context.expose_function("askWallet", self._answer)
        page.context.add_init_script(_SCRIPT)

    def _answer(self, method: str, params: str) -> str:
        self.asked.append(method)
        try:
            return orjson.dumps({"result": self._do(method, orjson.loads(params))}).decode()
        except Declined:
            error = {"code": DECLINED, "message": "User rejected the request."}
            return orjson.dumps({"error": error}).decode()

    def _do(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_accounts" | "eth_requestAccounts":
                return [self.key.address.lower()]
            case "eth_chainId":
                return hex(self._chain)
            case "wallet_switchEthereumChain":
                self._chain = int(params[0]["chainId"], 16)
                return None
            case "personal_sign":
                self._ask_user()
                text = encode_defunct(hexstr=params[0])
                return "0x" + bytes(self.key.sign_message(text).signature).hex()
            case "eth_sendTransaction":
                self._ask_user()
                return self._send(params[0])
        raise AssertionError(f"the page asks for {method}")

    def _ask_user(self) -> None:
        if self.decline:
            self.decline = False
            raise Declined

    def _send(self, said: dict[str, str]) -> str:
        numbers = ("value", "nonce", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
        fields: dict[str, Any] = {name: int(said[name], 16) for name in numbers}
        fields |= {"type": 2, "chainId": self._chain, "to": said["to"], "data": said["data"]}
        assert said["from"].lower() == self.key.address.lower()
        raw = bytes(self.key.sign_transaction(fields).raw_transaction)
        return str(self._rpc("eth_sendRawTransaction", "0x" + raw.hex()))

    def _rpc(self, method: str, *params: Any) -> Any:
        url = next(url for url in self._urls[str(self._chain)] if url.startswith("http"))
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = httpx.post(url, json=body, timeout=TIMEOUT_S).json()
        assert "error" not in answer, answer
        return answer["result"]
