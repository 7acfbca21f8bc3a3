// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Gmx, IRoleStore, IToken} from "./Gmx.sol";

/// What users of GMX approve: moves tokens for those who have the role.
contract Router {
    error Unauthorized(address msgSender, string role);

    function pluginTransfer(
        address token, address account, address receiver, uint256 amount
    ) external {
        bytes32 role = keccak256(abi.encode("ROUTER_PLUGIN"));
        if (!IRoleStore(Gmx.ROLE_STORE).hasRole(msg.sender, role))
            revert Unauthorized(msg.sender, "ROUTER_PLUGIN");
        IToken(token).transferFrom(account, receiver, amount);
    }

    function roleStore() external pure returns (address) {
        return Gmx.ROLE_STORE;
    }
}
