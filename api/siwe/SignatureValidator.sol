// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Says whether the contract `signer` takes `signature` for `hash` (EIP-1271), also one that
/// `factory` has yet to make (ERC-6492). Never deployed: its creation is called, and what would be
/// its code is the answer, as isValidSignature gives it.
contract SignatureValidator {
    bytes4 private constant VALID = 0x1626ba7e;
    bytes4 private constant INVALID = 0xffffffff;
    bytes3 private constant DELEGATION = 0xef0100;

    constructor(
        address signer,
        bytes32 hash,
        address factory,
        bytes memory preparation,
        bytes memory signature
    ) {
        // Only for a wallet that is not there: before one that is, nobody may run what he likes.
        if (signer.code.length == 0 && factory != address(0)) {
            (bool prepared, ) = factory.call(preparation);
            prepared;
        }
        bytes4 answer = agrees(signer, hash, signature) ? VALID : INVALID;
        assembly {
            mstore(0, answer)
            return(0, 32)
        }
    }

    function agrees(
        address signer,
        bytes32 hash,
        bytes memory signature
    ) private view returns (bool) {
        bytes memory code = signer.code;
        // An account with a key that lends itself code (EIP-7702) signs with its key only: the code
        // may be another on the next chain.
        if (code.length == 0 || bytes3(code) == DELEGATION) return false;
        (bool done, bytes memory said) = signer.staticcall(
            abi.encodeWithSelector(VALID, hash, signature)
        );
        return done && said.length >= 32 && bytes32(said) == bytes32(VALID);
    }
}
