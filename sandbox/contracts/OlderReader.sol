// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Gmx, IDataStore, IOrderHandler} from "./Gmx.sol";
import {CommonReader} from "./Reader.sol";

/// Views of GMX, as release v2.2b answers them: an order has no factor of a UI's fee.
contract OlderReader is CommonReader {
    struct OrderNumbers {
        uint8 orderType;
        uint8 decreasePositionSwapType;
        uint256 sizeDeltaUsd;
        uint256 initialCollateralDeltaAmount;
        uint256 triggerPrice;
        uint256 acceptablePrice;
        uint256 executionFee;
        uint256 callbackGasLimit;
        uint256 minOutputAmount;
        uint256 updatedAtTime;
        uint256 validFromTime;
        uint256 srcChainId;
    }

    struct Order {
        Gmx.OrderAddresses addresses;
        OrderNumbers numbers;
        Gmx.OrderFlags flags;
        bytes32[] _dataList;
    }

    struct OrderInfo {
        bytes32 orderKey;
        Order order;
    }

    function getOrder(address, bytes32 key) external view returns (Order memory) {
        return _order(key);
    }

    function getAccountOrders(
        address dataStore, address account, uint256 start, uint256 end
    ) external view returns (OrderInfo[] memory orders) {
        bytes32[] memory keys = IDataStore(dataStore).getBytes32ValuesAt(
            Gmx.accountList("ACCOUNT_ORDER_LIST", account), start, end
        );
        orders = new OrderInfo[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) orders[i] = OrderInfo(keys[i], _order(keys[i]));
    }

    function _order(bytes32 key) private view returns (Order memory older) {
        Gmx.Order memory stored = IOrderHandler(Gmx.ORDER_HANDLER).order(key);
        Gmx.OrderNumbers memory numbers = stored.numbers;
        older.addresses = stored.addresses;
        older.flags = stored.flags;
        older._dataList = stored._dataList;
        older.numbers = OrderNumbers(
            numbers.orderType,
            numbers.decreasePositionSwapType,
            numbers.sizeDeltaUsd,
            numbers.initialCollateralDeltaAmount,
            numbers.triggerPrice,
            numbers.acceptablePrice,
            numbers.executionFee,
            numbers.callbackGasLimit,
            numbers.minOutputAmount,
            numbers.updatedAtTime,
            numbers.validFromTime,
            numbers.srcChainId
        );
    }
}
