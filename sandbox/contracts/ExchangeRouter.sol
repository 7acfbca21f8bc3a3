// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Gmx, IOrderHandler, IRouter, IToken} from "./Gmx.sol";
import {GmxClaims} from "./GmxClaims.sol";

/// Where users of GMX send their orders.
contract ExchangeRouter {
    error EmptyOrder();
    error EmptyReceiver();
    error InvalidClaimCollateralInput(
        uint256 marketsLength, uint256 tokensLength, uint256 timeKeysLength
    );
    error InvalidClaimFundingFeesInput(uint256 marketsLength, uint256 tokensLength);
    error Unauthorized(address msgSender, string role);

    function multicall(bytes[] calldata data) external payable returns (bytes[] memory results) {
        results = new bytes[](data.length);
        for (uint256 i = 0; i < data.length; i++) {
            (bool done, bytes memory result) = address(this).delegatecall(data[i]);
            if (!done) {
                assembly ("memory-safe") {
                    revert(add(result, 32), mload(result))
                }
            }
            results[i] = result;
        }
    }

    function sendWnt(address receiver, uint256 amount) external payable {
        IToken(Gmx.WNT).deposit{value: amount}();
        IToken(Gmx.WNT).transfer(receiver, amount);
    }

    function sendTokens(address token, address receiver, uint256 amount) external payable {
        IRouter(Gmx.ROUTER).pluginTransfer(token, msg.sender, receiver, amount);
    }

    function createOrder(Gmx.CreateOrderParams calldata params) external payable returns (bytes32) {
        return IOrderHandler(Gmx.ORDER_HANDLER).createOrder(msg.sender, 0, params, false);
    }

    function updateOrder(
        bytes32 key, uint256 sizeDeltaUsd, uint256 acceptablePrice, uint256 triggerPrice,
        uint256 minOutputAmount, uint256 validFromTime, bool autoCancel
    ) external payable {
        _onlyOwner(key, "account for updateOrder");
        IOrderHandler(Gmx.ORDER_HANDLER).updateOrder(
            key,
            Gmx.Update(
                sizeDeltaUsd, acceptablePrice, triggerPrice, minOutputAmount, validFromTime,
                autoCancel
            )
        );
    }

    function cancelOrder(bytes32 key) external payable {
        _onlyOwner(key, "account for cancelOrder");
        IOrderHandler(Gmx.ORDER_HANDLER).cancelOrder(key);
    }

    /// Pays out of nothing, where GMX pays from the pool.
    function claimFundingFees(
        address[] calldata markets, address[] calldata tokens, address receiver
    ) external payable returns (uint256[] memory amounts) {
        if (markets.length != tokens.length)
            revert InvalidClaimFundingFeesInput(markets.length, tokens.length);
        if (receiver == address(0)) revert EmptyReceiver();
        amounts = new uint256[](markets.length);
        for (uint256 i = 0; i < markets.length; i++)
            amounts[i] = GmxClaims.funding(markets[i], tokens[i], msg.sender, receiver);
    }

    function claimCollateral(
        address[] calldata markets, address[] calldata tokens, uint256[] calldata timeKeys,
        address receiver
    ) external payable returns (uint256[] memory amounts) {
        if (markets.length != tokens.length || tokens.length != timeKeys.length)
            revert InvalidClaimCollateralInput(markets.length, tokens.length, timeKeys.length);
        if (receiver == address(0)) revert EmptyReceiver();
        amounts = new uint256[](markets.length);
        for (uint256 i = 0; i < markets.length; i++)
            amounts[i] =
                GmxClaims.collateral(markets[i], tokens[i], timeKeys[i], msg.sender, receiver);
    }

    function dataStore() external pure returns (address) {
        return Gmx.DATA_STORE;
    }

    function eventEmitter() external pure returns (address) {
        return Gmx.EVENT_EMITTER;
    }

    function orderHandler() external pure returns (address) {
        return Gmx.ORDER_HANDLER;
    }

    function roleStore() external pure returns (address) {
        return Gmx.ROLE_STORE;
    }

    function router() external pure returns (address) {
        return Gmx.ROUTER;
    }

    function _onlyOwner(bytes32 key, string memory role) private view {
        address account = IOrderHandler(Gmx.ORDER_HANDLER).order(key).addresses.account;
        if (account == address(0)) revert EmptyOrder();
        if (account != msg.sender) revert Unauthorized(msg.sender, role);
    }
}
