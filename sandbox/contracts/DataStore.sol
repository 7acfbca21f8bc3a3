// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

/// Holds what GMX has set; anybody sets, as this chain has nothing to protect.
contract DataStore {
    mapping(bytes32 key => uint256) public getUint;

    function setUint(bytes32 key, uint256 value) external returns (uint256) {
        getUint[key] = value;
        return value;
    }
}
