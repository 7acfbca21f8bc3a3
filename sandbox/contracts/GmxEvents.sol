// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {EventEmitter} from "./EventEmitter.sol";
import {Gmx} from "./Gmx.sol";

/// What GMX says when users act, with the keys of release v2.2c in their order.
library GmxEvents {
    function created(bytes32 key, Gmx.Order memory order) internal {
        EventEmitter.EventLogData memory data;
        _addresses(data, order.addresses);
        _numbers(data, order.numbers);
        data.boolItems.items = new EventEmitter.BoolItem[](3);
        data.boolItems.items[0] = EventEmitter.BoolItem("isLong", order.flags.isLong);
        data.boolItems.items[1] = EventEmitter.BoolItem(
            "shouldUnwrapNativeToken", order.flags.shouldUnwrapNativeToken
        );
        data.boolItems.items[2] = EventEmitter.BoolItem("autoCancel", order.flags.autoCancel);
        _key(data, key);
        data.bytes32Items.arrayItems = new EventEmitter.Bytes32ArrayItem[](1);
        data.bytes32Items.arrayItems[0] = EventEmitter.Bytes32ArrayItem("dataList", order._dataList);
        _emit("OrderCreated", key, order.addresses.account, data);
    }

    function updated(bytes32 key, Gmx.Order memory order) internal {
        EventEmitter.EventLogData memory data;
        _account(data, order.addresses.account);
        EventEmitter.UintItem[] memory items = new EventEmitter.UintItem[](6);
        items[0] = EventEmitter.UintItem("sizeDeltaUsd", order.numbers.sizeDeltaUsd);
        items[1] = EventEmitter.UintItem("acceptablePrice", order.numbers.acceptablePrice);
        items[2] = EventEmitter.UintItem("triggerPrice", order.numbers.triggerPrice);
        items[3] = EventEmitter.UintItem("minOutputAmount", order.numbers.minOutputAmount);
        items[4] = EventEmitter.UintItem("updatedAtTime", order.numbers.updatedAtTime);
        items[5] = EventEmitter.UintItem("validFromTime", order.numbers.validFromTime);
        data.uintItems.items = items;
        data.boolItems.items = new EventEmitter.BoolItem[](1);
        data.boolItems.items[0] = EventEmitter.BoolItem("autoCancel", order.flags.autoCancel);
        _key(data, key);
        _emit("OrderUpdated", key, order.addresses.account, data);
    }

    function cancelled(bytes32 key, address account) internal {
        EventEmitter.EventLogData memory data;
        _account(data, account);
        _key(data, key);
        data.bytesItems.items = new EventEmitter.BytesItem[](1);
        data.bytesItems.items[0] = EventEmitter.BytesItem("reasonBytes", "");
        data.stringItems.items = new EventEmitter.StringItem[](1);
        data.stringItems.items[0] = EventEmitter.StringItem("reason", "USER_INITIATED_CANCEL");
        _emit("OrderCancelled", key, account, data);
    }

    function refunded(address receiver, uint256 amount) internal {
        EventEmitter.EventLogData memory data;
        data.addressItems.items = new EventEmitter.AddressItem[](1);
        data.addressItems.items[0] = EventEmitter.AddressItem("receiver", receiver);
        data.uintItems.items = new EventEmitter.UintItem[](1);
        data.uintItems.items[0] = EventEmitter.UintItem("refundFeeAmount", amount);
        EventEmitter(Gmx.EVENT_EMITTER).emitEventLog1(
            "ExecutionFeeRefund", bytes32(uint256(uint160(receiver))), data
        );
    }

    function _addresses(
        EventEmitter.EventLogData memory data, Gmx.OrderAddresses memory from
    ) private pure {
        EventEmitter.AddressItem[] memory items = new EventEmitter.AddressItem[](7);
        items[0] = EventEmitter.AddressItem("account", from.account);
        items[1] = EventEmitter.AddressItem("receiver", from.receiver);
        items[2] = EventEmitter.AddressItem("callbackContract", from.callbackContract);
        items[3] = EventEmitter.AddressItem("uiFeeReceiver", from.uiFeeReceiver);
        items[4] = EventEmitter.AddressItem("market", from.market);
        items[5] = EventEmitter.AddressItem("initialCollateralToken", from.initialCollateralToken);
        items[6] = EventEmitter.AddressItem("cancellationReceiver", from.cancellationReceiver);
        data.addressItems.items = items;
        data.addressItems.arrayItems = new EventEmitter.AddressArrayItem[](1);
        data.addressItems.arrayItems[0] = EventEmitter.AddressArrayItem("swapPath", from.swapPath);
    }

    function _numbers(
        EventEmitter.EventLogData memory data, Gmx.OrderNumbers memory from
    ) private pure {
        EventEmitter.UintItem[] memory items = new EventEmitter.UintItem[](12);
        items[0] = EventEmitter.UintItem("orderType", from.orderType);
        items[1] =
            EventEmitter.UintItem("decreasePositionSwapType", from.decreasePositionSwapType);
        items[2] = EventEmitter.UintItem("sizeDeltaUsd", from.sizeDeltaUsd);
        items[3] = EventEmitter.UintItem(
            "initialCollateralDeltaAmount", from.initialCollateralDeltaAmount
        );
        items[4] = EventEmitter.UintItem("triggerPrice", from.triggerPrice);
        items[5] = EventEmitter.UintItem("acceptablePrice", from.acceptablePrice);
        items[6] = EventEmitter.UintItem("executionFee", from.executionFee);
        items[7] = EventEmitter.UintItem("callbackGasLimit", from.callbackGasLimit);
        items[8] = EventEmitter.UintItem("minOutputAmount", from.minOutputAmount);
        items[9] = EventEmitter.UintItem("updatedAtTime", from.updatedAtTime);
        items[10] = EventEmitter.UintItem("validFromTime", from.validFromTime);
        items[11] = EventEmitter.UintItem("srcChainId", from.srcChainId);
        data.uintItems.items = items;
    }

    function _account(EventEmitter.EventLogData memory data, address account) private pure {
        data.addressItems.items = new EventEmitter.AddressItem[](1);
        data.addressItems.items[0] = EventEmitter.AddressItem("account", account);
    }

    function _key(EventEmitter.EventLogData memory data, bytes32 key) private pure {
        data.bytes32Items.items = new EventEmitter.Bytes32Item[](1);
        data.bytes32Items.items[0] = EventEmitter.Bytes32Item("key", key);
    }

    function _emit(
        string memory name, bytes32 key, address account, EventEmitter.EventLogData memory data
    ) private {
        EventEmitter(Gmx.EVENT_EMITTER).emitEventLog2(
            name, key, bytes32(uint256(uint160(account))), data
        );
    }
}
