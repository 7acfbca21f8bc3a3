// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

/// Who may do what; anybody grants, as this chain has nothing to protect.
contract RoleStore {
    mapping(address account => mapping(bytes32 roleKey => bool)) public hasRole;

    function grantRole(address account, bytes32 roleKey) external {
        hasRole[account][roleKey] = true;
    }

    function revokeRole(address account, bytes32 roleKey) external {
        hasRole[account][roleKey] = false;
    }
}
