// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Gmx, IDataStore, IOrderHandler} from "./Gmx.sol";

/// Views of GMX that releases v2.2b and v2.2c answer alike.
abstract contract CommonReader {
    function getMarket(address, address key) external view returns (Gmx.Market memory) {
        return Gmx.marketOf(key);
    }

    function getMarkets(
        address dataStore, uint256 start, uint256 end
    ) external view returns (Gmx.Market[] memory markets) {
        address[] memory keys =
            IDataStore(dataStore).getAddressValuesAt(Gmx.key("MARKET_LIST"), start, end);
        markets = new Gmx.Market[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) markets[i] = Gmx.marketOf(keys[i]);
    }

    function getPosition(address, bytes32 key) external view returns (Gmx.Position memory) {
        return IOrderHandler(Gmx.ORDER_HANDLER).position(key);
    }

    function getAccountPositions(
        address dataStore, address account, uint256 start, uint256 end
    ) external view returns (Gmx.Position[] memory positions) {
        bytes32[] memory keys = IDataStore(dataStore).getBytes32ValuesAt(
            Gmx.accountList("ACCOUNT_POSITION_LIST", account), start, end
        );
        positions = new Gmx.Position[](keys.length);
        for (uint256 i = 0; i < keys.length; i++)
            positions[i] = IOrderHandler(Gmx.ORDER_HANDLER).position(keys[i]);
    }
}

/// Views of GMX, as release v2.2c answers them.
contract Reader is CommonReader {
    struct OrderInfo {
        bytes32 orderKey;
        Gmx.Order order;
    }

    function getOrder(address, bytes32 key) external view returns (Gmx.Order memory) {
        return IOrderHandler(Gmx.ORDER_HANDLER).order(key);
    }

    function getAccountOrders(
        address dataStore, address account, uint256 start, uint256 end
    ) external view returns (OrderInfo[] memory orders) {
        bytes32[] memory keys = IDataStore(dataStore).getBytes32ValuesAt(
            Gmx.accountList("ACCOUNT_ORDER_LIST", account), start, end
        );
        orders = new OrderInfo[](keys.length);
        for (uint256 i = 0; i < keys.length; i++)
            orders[i] = OrderInfo(keys[i], IOrderHandler(Gmx.ORDER_HANDLER).order(keys[i]));
    }
}
