"""A wallet of dYdX that signs texts as Keplr does (``signArbitrary``)."""

import base64
import hashlib
import json
from typing import Final

from eth_keys.datatypes import PrivateKey

from api.auth.dydx_link import address_of

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class DydxWallet:
    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self.public_key: bytes = self._key.public_key.to_compressed_bytes()
        self.address = address_of(self.public_key)

    def sign(self, text: str, *, high_s: bool = False) -> bytes:
        data = base64.b64encode(text.encode()).decode()
        # Spelled out, and in the order of an amino document: names by the alphabet.
        document = (
            '{"account_number":"0","chain_id":"","fee":{"amount":[],"gas":"0"},"memo":"",'
            '"msgs":[{"type":"sign/MsgSignData","value":{"data":'
            f'{json.dumps(data)},"signer":{json.dumps(self.address)}'
            '}}],"sequence":"0"}'
        )
        signed = self._key.sign_msg_hash(hashlib.sha256(document.encode()).digest())
        r, s = signed.r, min(signed.s, ORDER - signed.s)
        if high_s:
            s = ORDER - s
        return bytes(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
