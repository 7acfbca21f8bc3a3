// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

interface IToken {
    function balanceOf(address account) external view returns (uint256);
    function mint(address to, uint256 amount) external;
    function deposit() external payable;
    function withdraw(uint256 amount) external;
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

interface IRoleStore {
    function hasRole(address account, bytes32 roleKey) external view returns (bool);
}

interface IDataStore {
    function getUint(bytes32 key) external view returns (uint256);
    function getAddress(bytes32 key) external view returns (address);
    function getBool(bytes32 key) external view returns (bool);
    function incrementUint(bytes32 key, uint256 value) external returns (uint256);
    function decrementUint(bytes32 key, uint256 value) external returns (uint256);
    function setUint(bytes32 key, uint256 value) external returns (uint256);
    function addBytes32(bytes32 setKey, bytes32 value) external;
    function removeBytes32(bytes32 setKey, bytes32 value) external;
    function containsBytes32(bytes32 setKey, bytes32 value) external view returns (bool);
    function getBytes32Count(bytes32 setKey) external view returns (uint256);
    function getBytes32ValuesAt(
        bytes32 setKey, uint256 start, uint256 end
    ) external view returns (bytes32[] memory);
    function getAddressValuesAt(
        bytes32 setKey, uint256 start, uint256 end
    ) external view returns (address[] memory);
}

interface IOrderVault {
    function recordTransferIn(address token) external returns (uint256);
    function transferOut(address token, address receiver, uint256 amount) external;
    function transferOutNativeToken(address receiver, uint256 amount) external;
}

interface IRouter {
    function pluginTransfer(
        address token, address account, address receiver, uint256 amount
    ) external;
}

interface IOrderHandler {
    function createOrder(
        address account, uint256 srcChainId, Gmx.CreateOrderParams calldata params, bool capsFee
    ) external returns (bytes32);
    function updateOrder(bytes32 key, Gmx.Update calldata update) external;
    function cancelOrder(bytes32 key) external;
    function order(bytes32 key) external view returns (Gmx.Order memory);
    function position(bytes32 key) external view returns (Gmx.Position memory);
}

/// Shapes of release v2.2c, and where its contracts stand on Arbitrum.
library Gmx {
    address internal constant DATA_STORE = 0xFD70de6b91282D8017aA4E741e9Ae325CAb992d8;
    address internal constant EVENT_EMITTER = 0xC8ee91A54287DB53897056e12D9819156D3822Fb;
    address internal constant ROLE_STORE = 0x3c3d99FD298f679DBC2CEcd132b4eC4d0F5e6e72;
    address internal constant ROUTER = 0x7452c558d45f8afC8c83dAe62C3f8A5BE19c71f6;
    address internal constant ORDER_VAULT = 0x31eF83a530Fde1B38EE9A18093A333D8Bbbc40D5;
    address internal constant ORDER_HANDLER = 0xa5D2d45228ee2E3A18AB122B2cE84997d008f4Eb;
    address internal constant WNT = 0x82aF49447D8a07e3bd95BD0d56f35241523fBab1;

    uint8 internal constant MARKET_SWAP = 0;
    uint8 internal constant LIMIT_SWAP = 1;
    uint8 internal constant MARKET_INCREASE = 2;
    uint8 internal constant LIMIT_INCREASE = 3;
    uint8 internal constant MARKET_DECREASE = 4;
    uint8 internal constant LIMIT_DECREASE = 5;
    uint8 internal constant STOP_LOSS_DECREASE = 6;
    uint8 internal constant LIQUIDATION = 7;
    uint8 internal constant STOP_INCREASE = 8;

    struct CreateOrderAddresses {
        address receiver;
        address cancellationReceiver;
        address callbackContract;
        address uiFeeReceiver;
        address market;
        address initialCollateralToken;
        address[] swapPath;
    }

    struct CreateOrderNumbers {
        uint256 sizeDeltaUsd;
        uint256 initialCollateralDeltaAmount;
        uint256 triggerPrice;
        uint256 acceptablePrice;
        uint256 executionFee;
        uint256 callbackGasLimit;
        uint256 minOutputAmount;
        uint256 validFromTime;
    }

    struct CreateOrderParams {
        CreateOrderAddresses addresses;
        CreateOrderNumbers numbers;
        uint8 orderType;
        uint8 decreasePositionSwapType;
        bool isLong;
        bool shouldUnwrapNativeToken;
        bool autoCancel;
        bytes32 referralCode;
        bytes32[] dataList;
    }

    struct Update {
        uint256 sizeDeltaUsd;
        uint256 acceptablePrice;
        uint256 triggerPrice;
        uint256 minOutputAmount;
        uint256 validFromTime;
        bool autoCancel;
    }

    struct OrderAddresses {
        address account;
        address receiver;
        address cancellationReceiver;
        address callbackContract;
        address uiFeeReceiver;
        address market;
        address initialCollateralToken;
        address[] swapPath;
    }

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
        uint256 uiFeeFactor;
        uint256 updatedAtTime;
        uint256 validFromTime;
        uint256 srcChainId;
    }

    struct OrderFlags {
        bool isLong;
        bool shouldUnwrapNativeToken;
        bool isFrozen;
        bool autoCancel;
    }

    struct Order {
        OrderAddresses addresses;
        OrderNumbers numbers;
        OrderFlags flags;
        bytes32[] _dataList;
    }

    struct PositionAddresses {
        address account;
        address market;
        address collateralToken;
    }

    struct PositionNumbers {
        uint256 sizeInUsd;
        uint256 sizeInTokens;
        uint256 collateralAmount;
        int256 pendingImpactAmount;
        uint256 borrowingFactor;
        uint256 fundingFeeAmountPerSize;
        uint256 longTokenClaimableFundingAmountPerSize;
        uint256 shortTokenClaimableFundingAmountPerSize;
        uint256 increasedAtTime;
        uint256 decreasedAtTime;
    }

    struct PositionFlags {
        bool isLong;
    }

    struct Position {
        PositionAddresses addresses;
        PositionNumbers numbers;
        PositionFlags flags;
    }

    struct Market {
        address marketToken;
        address indexToken;
        address longToken;
        address shortToken;
    }

    function key(string memory name) internal pure returns (bytes32) {
        return keccak256(abi.encode(name));
    }

    function accountList(string memory name, address account) internal pure returns (bytes32) {
        return keccak256(abi.encode(key(name), account));
    }

    function positionKey(
        address account, address market, address collateralToken, bool isLong
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(account, market, collateralToken, isLong));
    }

    function marketOf(address token) internal view returns (Market memory) {
        IDataStore store = IDataStore(DATA_STORE);
        return Market(
            store.getAddress(keccak256(abi.encode(token, key("MARKET_TOKEN")))),
            store.getAddress(keccak256(abi.encode(token, key("INDEX_TOKEN")))),
            store.getAddress(keccak256(abi.encode(token, key("LONG_TOKEN")))),
            store.getAddress(keccak256(abi.encode(token, key("SHORT_TOKEN"))))
        );
    }

    function isIncrease(uint8 orderType) internal pure returns (bool) {
        return orderType == MARKET_INCREASE || orderType == LIMIT_INCREASE
            || orderType == STOP_INCREASE;
    }

    function isDecrease(uint8 orderType) internal pure returns (bool) {
        return orderType == MARKET_DECREASE || orderType == LIMIT_DECREASE
            || orderType == STOP_LOSS_DECREASE;
    }

    function isMarketOrder(uint8 orderType) internal pure returns (bool) {
        return orderType == MARKET_INCREASE || orderType == MARKET_DECREASE;
    }
}
