// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Gmx, IRoleStore, IToken} from "./Gmx.sol";

/// Holds what orders bring. What arrived since it was last recorded belongs to whoever records it.
contract OrderVault {
    mapping(address token => uint256) public tokenBalances;

    error Unauthorized(address msgSender, string role);

    receive() external payable {}

    function recordTransferIn(address token) external returns (uint256) {
        _onlyController();
        uint256 before = tokenBalances[token];
        tokenBalances[token] = IToken(token).balanceOf(address(this));
        return tokenBalances[token] - before;
    }

    function transferOut(address token, address receiver, uint256 amount) external {
        _onlyController();
        IToken(token).transfer(receiver, amount);
        tokenBalances[token] = IToken(token).balanceOf(address(this));
    }

    /// Ether; wrapped where the receiver does not take it.
    function transferOutNativeToken(address receiver, uint256 amount) external {
        _onlyController();
        IToken(Gmx.WNT).withdraw(amount);
        (bool done, ) = receiver.call{value: amount, gas: 200_000}("");
        if (!done) {
            IToken(Gmx.WNT).deposit{value: amount}();
            IToken(Gmx.WNT).transfer(receiver, amount);
        }
        tokenBalances[Gmx.WNT] = IToken(Gmx.WNT).balanceOf(address(this));
    }

    function dataStore() external pure returns (address) {
        return Gmx.DATA_STORE;
    }

    function roleStore() external pure returns (address) {
        return Gmx.ROLE_STORE;
    }

    function _onlyController() private view {
        bytes32 role = keccak256(abi.encode("CONTROLLER"));
        if (!IRoleStore(Gmx.ROLE_STORE).hasRole(msg.sender, role))
            revert Unauthorized(msg.sender, "CONTROLLER");
    }
}
