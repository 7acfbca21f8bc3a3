// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

/// Holds what GMX has set; anybody sets, as this chain has nothing to protect.
contract DataStore {
    mapping(bytes32 key => uint256) public getUint;
    mapping(bytes32 key => int256) public getInt;
    mapping(bytes32 key => address) public getAddress;
    mapping(bytes32 key => bool) public getBool;
    mapping(bytes32 key => bytes32) public getBytes32;
    // Sets: their members, and where each stands, counted from one.
    mapping(bytes32 setKey => bytes32[]) private _words;
    mapping(bytes32 setKey => mapping(bytes32 value => uint256)) private _placeOfWord;
    mapping(bytes32 setKey => address[]) private _addresses;
    mapping(bytes32 setKey => mapping(address value => uint256)) private _placeOfAddress;

    function setUint(bytes32 key, uint256 value) external returns (uint256) {
        return getUint[key] = value;
    }

    function incrementUint(bytes32 key, uint256 value) external returns (uint256) {
        return getUint[key] += value;
    }

    /// Down to nothing at the least: amounts of single accounts are written without their sum.
    function decrementUint(bytes32 key, uint256 value) external returns (uint256) {
        uint256 left = getUint[key];
        return getUint[key] = left > value ? left - value : 0;
    }

    function setInt(bytes32 key, int256 value) external returns (int256) {
        return getInt[key] = value;
    }

    function setAddress(bytes32 key, address value) external returns (address) {
        return getAddress[key] = value;
    }

    function setBool(bytes32 key, bool value) external returns (bool) {
        return getBool[key] = value;
    }

    function setBytes32(bytes32 key, bytes32 value) external returns (bytes32) {
        return getBytes32[key] = value;
    }

    function addBytes32(bytes32 setKey, bytes32 value) external {
        if (_placeOfWord[setKey][value] != 0) return;
        _words[setKey].push(value);
        _placeOfWord[setKey][value] = _words[setKey].length;
    }

    /// The last one takes the place of the one that goes.
    function removeBytes32(bytes32 setKey, bytes32 value) external {
        uint256 place = _placeOfWord[setKey][value];
        if (place == 0) return;
        bytes32[] storage words = _words[setKey];
        bytes32 last = words[words.length - 1];
        words[place - 1] = last;
        _placeOfWord[setKey][last] = place;
        words.pop();
        delete _placeOfWord[setKey][value];
    }

    function containsBytes32(bytes32 setKey, bytes32 value) external view returns (bool) {
        return _placeOfWord[setKey][value] != 0;
    }

    function getBytes32Count(bytes32 setKey) external view returns (uint256) {
        return _words[setKey].length;
    }

    function getBytes32ValuesAt(
        bytes32 setKey, uint256 start, uint256 end
    ) external view returns (bytes32[] memory values) {
        uint256 count = _words[setKey].length;
        if (end > count) end = count;
        if (start >= end) return values;
        values = new bytes32[](end - start);
        for (uint256 i = start; i < end; i++) values[i - start] = _words[setKey][i];
    }

    function containsAddress(bytes32 setKey, address value) external view returns (bool) {
        return _placeOfAddress[setKey][value] != 0;
    }

    function getAddressCount(bytes32 setKey) external view returns (uint256) {
        return _addresses[setKey].length;
    }

    function getAddressValuesAt(
        bytes32 setKey, uint256 start, uint256 end
    ) external view returns (address[] memory values) {
        uint256 count = _addresses[setKey].length;
        if (end > count) end = count;
        if (start >= end) return values;
        values = new address[](end - start);
        for (uint256 i = start; i < end; i++) values[i - start] = _addresses[setKey][i];
    }
}
