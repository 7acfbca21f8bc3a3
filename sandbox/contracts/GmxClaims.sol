// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {EventEmitter} from "./EventEmitter.sol";
import {Gmx, IDataStore, IToken} from "./Gmx.sol";

/// What users of GMX are owed, by the keys of its DataStore: paid, and told with the keys of release
/// v2.2c in their order.
library GmxClaims {
    uint256 private constant ONE = 1e30;

    error CollateralAlreadyClaimed(uint256 adjustedClaimableAmount, uint256 claimedAmount);
    error InvalidClaimableFactor(uint256 value);

    /// All of it, also when that is nothing.
    function funding(
        address market, address token, address account, address receiver
    ) internal returns (uint256 amount) {
        IDataStore store = IDataStore(Gmx.DATA_STORE);
        bytes32 key = keccak256(abi.encode(Gmx.key("CLAIMABLE_FUNDING_AMOUNT"), market, token, account));
        amount = store.getUint(key);
        store.setUint(key, 0);
        uint256 left = store.decrementUint(
            keccak256(abi.encode(Gmx.key("CLAIMABLE_FUNDING_AMOUNT"), market, token)), amount
        );
        IToken(token).mint(receiver, amount);
        EventEmitter.EventLogData memory data;
        _addresses(data, market, token, account, receiver);
        data.uintItems.items = new EventEmitter.UintItem[](2);
        data.uintItems.items[0] = EventEmitter.UintItem("amount", amount);
        data.uintItems.items[1] = EventEmitter.UintItem("nextPoolValue", left);
        _emit("FundingFeesClaimed", account, data);
    }

    /// As much as the factor lets go that was not claimed before.
    function collateral(
        address market, address token, uint256 timeKey, address account, address receiver
    ) internal returns (uint256 amount) {
        IDataStore store = IDataStore(Gmx.DATA_STORE);
        uint256 free = store.getUint(_hour("CLAIMABLE_COLLATERAL_AMOUNT", market, token, timeKey, account))
            * _factor(store, market, token, timeKey, account) / ONE;
        bytes32 claimed = _hour("CLAIMED_COLLATERAL_AMOUNT", market, token, timeKey, account);
        uint256 before = store.getUint(claimed);
        if (free <= before) revert CollateralAlreadyClaimed(free, before);
        amount = free - before;
        store.setUint(claimed, free);
        uint256 left = store.decrementUint(
            keccak256(abi.encode(Gmx.key("CLAIMABLE_COLLATERAL_AMOUNT"), market, token)), amount
        );
        IToken(token).mint(receiver, amount);
        EventEmitter.EventLogData memory data;
        _addresses(data, market, token, account, receiver);
        data.uintItems.items = new EventEmitter.UintItem[](3);
        data.uintItems.items[0] = EventEmitter.UintItem("timeKey", timeKey);
        data.uintItems.items[1] = EventEmitter.UintItem("amount", amount);
        data.uintItems.items[2] = EventEmitter.UintItem("nextPoolValue", left);
        _emit("CollateralClaimed", account, data);
    }

    /// The larger one of the hour and of the account; all of it when the delay is over.
    function _factor(
        IDataStore store, address market, address token, uint256 timeKey, address account
    ) private view returns (uint256 factor) {
        string memory name = "CLAIMABLE_COLLATERAL_FACTOR";
        factor = store.getUint(keccak256(abi.encode(Gmx.key(name), market, token, timeKey)));
        uint256 own = store.getUint(_hour(name, market, token, timeKey, account));
        if (own > factor) factor = own;
        uint256 from = timeKey * store.getUint(Gmx.key("CLAIMABLE_COLLATERAL_TIME_DIVISOR"))
            + store.getUint(Gmx.key("CLAIMABLE_COLLATERAL_DELAY"));
        if (factor == 0 && block.timestamp > from) factor = ONE;
        if (factor > ONE) revert InvalidClaimableFactor(factor);
    }

    function _hour(
        string memory name, address market, address token, uint256 timeKey, address account
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(Gmx.key(name), market, token, timeKey, account));
    }

    function _addresses(
        EventEmitter.EventLogData memory data, address market, address token, address account,
        address receiver
    ) private pure {
        data.addressItems.items = new EventEmitter.AddressItem[](4);
        data.addressItems.items[0] = EventEmitter.AddressItem("market", market);
        data.addressItems.items[1] = EventEmitter.AddressItem("token", token);
        data.addressItems.items[2] = EventEmitter.AddressItem("account", account);
        data.addressItems.items[3] = EventEmitter.AddressItem("receiver", receiver);
    }

    function _emit(
        string memory name, address account, EventEmitter.EventLogData memory data
    ) private {
        EventEmitter(Gmx.EVENT_EMITTER).emitEventLog1(name, bytes32(uint256(uint160(account))), data);
    }
}
