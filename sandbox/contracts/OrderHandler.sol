// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

/// Stands where GMX executes orders: says what the keeper tells it to, in one transaction.
contract OrderHandler {
    function say(address emitter, bytes[] calldata calls) external {
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done, ) = emitter.call(calls[i]);
            require(done, "the emitter refused");
        }
    }
}
