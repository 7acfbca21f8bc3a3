// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

/// Emits the three generic events of GMX for whoever calls; the real one asks for a role.
contract EventEmitter {
    struct AddressItem { string key; address value; }
    struct AddressArrayItem { string key; address[] value; }
    struct AddressItems { AddressItem[] items; AddressArrayItem[] arrayItems; }
    struct UintItem { string key; uint256 value; }
    struct UintArrayItem { string key; uint256[] value; }
    struct UintItems { UintItem[] items; UintArrayItem[] arrayItems; }
    struct IntItem { string key; int256 value; }
    struct IntArrayItem { string key; int256[] value; }
    struct IntItems { IntItem[] items; IntArrayItem[] arrayItems; }
    struct BoolItem { string key; bool value; }
    struct BoolArrayItem { string key; bool[] value; }
    struct BoolItems { BoolItem[] items; BoolArrayItem[] arrayItems; }
    struct Bytes32Item { string key; bytes32 value; }
    struct Bytes32ArrayItem { string key; bytes32[] value; }
    struct Bytes32Items { Bytes32Item[] items; Bytes32ArrayItem[] arrayItems; }
    struct BytesItem { string key; bytes value; }
    struct BytesArrayItem { string key; bytes[] value; }
    struct BytesItems { BytesItem[] items; BytesArrayItem[] arrayItems; }
    struct StringItem { string key; string value; }
    struct StringArrayItem { string key; string[] value; }
    struct StringItems { StringItem[] items; StringArrayItem[] arrayItems; }

    struct EventLogData {
        AddressItems addressItems;
        UintItems uintItems;
        IntItems intItems;
        BoolItems boolItems;
        Bytes32Items bytes32Items;
        BytesItems bytesItems;
        StringItems stringItems;
    }

    event EventLog(
        address msgSender, string eventName, string indexed eventNameHash, EventLogData eventData
    );
    event EventLog1(
        address msgSender, string eventName, string indexed eventNameHash, bytes32 indexed topic1,
        EventLogData eventData
    );
    event EventLog2(
        address msgSender, string eventName, string indexed eventNameHash, bytes32 indexed topic1,
        bytes32 indexed topic2, EventLogData eventData
    );

    function emitEventLog(string calldata eventName, EventLogData calldata eventData) external {
        emit EventLog(msg.sender, eventName, eventName, eventData);
    }

    function emitEventLog1(
        string calldata eventName, bytes32 topic1, EventLogData calldata eventData
    ) external {
        emit EventLog1(msg.sender, eventName, eventName, topic1, eventData);
    }

    function emitEventLog2(
        string calldata eventName, bytes32 topic1, bytes32 topic2, EventLogData calldata eventData
    ) external {
        emit EventLog2(msg.sender, eventName, eventName, topic1, topic2, eventData);
    }
}
