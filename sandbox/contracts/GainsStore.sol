// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {Gains} from "./Gains.sol";
import {IToken} from "./Gmx.sol";

/// What gTrade keeps, its views, and what the keeper of the sandbox may do. The node writes the
/// first variables at its start: their places are known to ``sandbox/chain``.
contract GainsStore {
    /// Leverage in thousandths, USD with 18 decimals, the fee of opening in 1e-12.
    struct PairLimits {
        uint24 minLeverage;
        uint24 maxLeverage;
        uint80 minFeeUsd;
        uint88 minPositionUsd;
        uint40 feeP;
    }

    struct Log {
        bytes32[] topics;
        bytes data;
    }

    /// What the keeper says of one request or trigger. ``action``: 0 leaves the trade, 1 adds it,
    /// 2 replaces it, 3 closes it.
    struct Settlement {
        address user;
        uint256 version;
        bool closesPending;
        uint32 pendingIndex;
        uint8 action;
        Gains.Trade trade;
        Gains.TradeInfo info;
        int128 feesDelta;
        int128 pnlDelta;
        uint256 toTrader;
        Log[] logs;
    }

    /// Everything of one trader, for the keeper.
    struct Account {
        address user;
        uint256 version;
        uint32 nextIndex;
        Gains.Trade[] trades;
        Gains.TradeInfo[] infos;
        Gains.TradeFeesData[] fees;
        Gains.PendingOrder[] orders;
    }

    mapping(uint8 index => Gains.Collateral) internal _collaterals;
    uint256 internal _collateralsCount;
    mapping(uint8 index => uint256) internal _prices;
    mapping(uint256 pairIndex => PairLimits) internal _limits;
    uint256 public pairsCount;
    uint256 internal _timeoutBlocks;
    address internal _wrappedNative;
    uint256 internal _tradingState;
    // From here on nothing is written at the start.
    mapping(address user => mapping(uint32 index => Gains.Trade)) internal _trades;
    mapping(address user => mapping(uint32 index => Gains.TradeInfo)) internal _infos;
    mapping(address user => mapping(uint32 index => Gains.TradeFeesData)) internal _fees;
    mapping(address user => Gains.Counter) internal _tradeCounters;
    mapping(address user => uint32[]) internal _openTrades;
    mapping(address user => mapping(uint32 index => Gains.PendingOrder)) internal _pending;
    mapping(address user => Gains.Counter) internal _orderCounters;
    mapping(address user => uint32[]) internal _openOrders;
    mapping(address user => address) internal _delegates;
    address[] internal _users;
    mapping(address user => uint256) public versions;
    /// Counts what happened to anybody.
    uint256 public changes;
    address internal _actsFor;

    event MarketOrderInitiated(
        Gains.Id orderId, address indexed trader, uint16 indexed pairIndex, bool open
    );
    event LeverageUpdateInitiated(
        Gains.Id orderId, address indexed trader, uint256 indexed pairIndex, uint256 indexed index,
        bool isIncrease, uint256 newLeverage
    );
    event PositionSizeUpdateInitiated(
        Gains.Id orderId, address indexed trader, uint256 indexed pairIndex, uint256 indexed index,
        bool isIncrease, uint256 collateralDelta, uint256 leverageDelta
    );
    event PositivePnlWithdrawalInitiated(
        Gains.Id orderId, address indexed trader, uint32 indexed index, uint256 amountCollateral
    );
    event PendingOrderStored(Gains.PendingOrder pendingOrder);
    event PendingOrderClosed(Gains.Id orderId);
    event TradeStored(
        address indexed user, uint32 indexed index, Gains.Trade trade, Gains.TradeInfo tradeInfo,
        Gains.LiquidationParams liquidationParams
    );
    event TradeClosed(address indexed user, uint32 indexed index, bool isPnlPositive);
    event TradeTpUpdated(address indexed user, uint32 indexed index, uint64 newTp);
    event TradeSlUpdated(address indexed user, uint32 indexed index, uint64 newSl);
    event TradeMaxClosingSlippagePUpdated(
        address indexed user, uint32 indexed index, uint16 maxClosingSlippageP
    );
    event OpenOrderDetailsUpdated(
        address indexed user, uint32 indexed index, uint64 openPrice, uint64 tp, uint64 sl,
        uint16 maxSlippageP
    );
    event OpenOrderPlaced(
        address indexed trader, uint16 indexed pairIndex, uint32 indexed index
    );
    event OpenLimitUpdated(
        address indexed trader, uint16 indexed pairIndex, uint32 indexed index, uint64 newPrice,
        uint64 newTp, uint64 newSl, uint64 maxSlippageP
    );
    event OpenLimitCanceled(
        address indexed trader, uint16 indexed pairIndex, uint32 indexed index
    );
    event ChainlinkCallbackTimeout(Gains.Id pendingOrderId, uint256 indexed pairIndex);
    event CollateralReturnedAfterTimeout(
        Gains.Id pendingOrderId, uint8 indexed collateralIndex, address indexed trader,
        uint256 collateralAmount
    );

    error AboveMax();
    error BelowMin();
    error ConflictingPendingOrder(uint8 orderType);
    error DelegateNotApproved();
    error DelegatedActionNotAllowed();
    error DoesntExist();
    error InsufficientCollateral();
    error InvalidAmount();
    error InvalidCollateralIndex();
    error InvalidDecreasePositionSizeInput();
    error InvalidIncreasePositionSizeInput();
    error MaxSlippageZero();
    error NoOrder();
    error NotWrappedNativeToken();
    error Paused();
    error TradeOpenPriceZero();
    error TradePairNotListed();
    error TradePositionSizeZero();
    error TradeSlInvalid();
    error TradeTpInvalid();
    error WaitTimeout();
    error WrongLeverage();
    error WrongTradeType();
    error ZeroAddress();
    error ZeroValue();

    receive() external payable {}

    /// Of the keeper.
    function settle(Settlement[] calldata all) external {
        for (uint256 i = 0; i < all.length; i++) _settle(all[i]);
    }

    /// Of the keeper: what a token costs, in USD with 8 decimals.
    function setCollateralPrice(uint8 index, uint256 priceUsd) external {
        _prices[index] = priceUsd;
    }

    /// For drills: 0 active, 1 closes only, 2 paused.
    function setTradingState(uint256 state) external {
        _tradingState = state;
    }

    /// For the keeper: traders who have a trade or wait for something.
    function accounts(
        uint256 start, uint256 end
    ) external view returns (Account[] memory found) {
        if (end > _users.length) end = _users.length;
        if (start >= end) return found;
        found = new Account[](end - start);
        for (uint256 i = start; i < end; i++) {
            address user = _users[i];
            uint32[] storage open = _openTrades[user];
            Gains.TradeFeesData[] memory fees = new Gains.TradeFeesData[](open.length);
            for (uint256 j = 0; j < open.length; j++) fees[j] = _fees[user][open[j]];
            found[i - start] = Account(
                user, versions[user], _tradeCounters[user].currentIndex, getTrades(user),
                getTradeInfos(user), fees, getPendingOrders(user)
            );
        }
    }

    function getTrades(address _user) public view returns (Gains.Trade[] memory found) {
        uint32[] storage open = _openTrades[_user];
        found = new Gains.Trade[](open.length);
        for (uint256 i = 0; i < open.length; i++) found[i] = _trades[_user][open[i]];
    }

    function getTradeInfos(address _user) public view returns (Gains.TradeInfo[] memory found) {
        uint32[] storage open = _openTrades[_user];
        found = new Gains.TradeInfo[](open.length);
        for (uint256 i = 0; i < open.length; i++) found[i] = _infos[_user][open[i]];
    }

    function getPendingOrders(
        address _user
    ) public view returns (Gains.PendingOrder[] memory found) {
        uint32[] storage open = _openOrders[_user];
        found = new Gains.PendingOrder[](open.length);
        for (uint256 i = 0; i < open.length; i++) found[i] = _pending[_user][open[i]];
    }

    function getTrade(address _user, uint32 _index) external view returns (Gains.Trade memory) {
        return _trades[_user][_index];
    }

    function getTradeInfo(
        address _user, uint32 _index
    ) external view returns (Gains.TradeInfo memory) {
        return _infos[_user][_index];
    }

    function getTradeFeesData(
        address _user, uint32 _index
    ) external view returns (Gains.TradeFeesData memory) {
        return _fees[_user][_index];
    }

    function getTradeLiquidationParams(
        address _user, uint32 _index
    ) external view returns (Gains.LiquidationParams memory found) {
        if (_trades[_user][_index].user != address(0)) found = _liquidationParams();
    }

    function getPendingOrder(
        Gains.Id calldata _orderId
    ) external view returns (Gains.PendingOrder memory) {
        return _pending[_orderId.user][_orderId.index];
    }

    function getTradePendingOrderBlock(
        Gains.Id calldata _tradeId, uint8 _orderType
    ) external view returns (uint256) {
        uint32[] storage open = _openOrders[_tradeId.user];
        for (uint256 i = 0; i < open.length; i++) {
            Gains.PendingOrder storage each = _pending[_tradeId.user][open[i]];
            if (each.orderType == _orderType && each.trade.index == _tradeId.index)
                return each.createdBlock;
        }
        return 0;
    }

    function getCounters(
        address _user, uint8 _type
    ) external view returns (Gains.Counter memory) {
        return _type == 0 ? _tradeCounters[_user] : _orderCounters[_user];
    }

    function getTraders(
        uint32 _offset, uint32 _limit
    ) external view returns (address[] memory found) {
        uint256 end = _limit == 0 || _limit >= _users.length ? _users.length : _limit + 1;
        if (_offset >= end) return found;
        found = new address[](end - _offset);
        for (uint256 i = _offset; i < end; i++) found[i - _offset] = _users[i];
    }

    function getCollaterals() external view returns (Gains.Collateral[] memory found) {
        found = new Gains.Collateral[](_collateralsCount);
        for (uint8 i = 0; i < found.length; i++) found[i] = _collaterals[i + 1];
    }

    function getCollateral(uint8 _index) external view returns (Gains.Collateral memory) {
        return _collaterals[_index];
    }

    function getCollateralsCount() external view returns (uint8) {
        return uint8(_collateralsCount);
    }

    function getCollateralIndex(address _collateral) external view returns (uint8) {
        for (uint8 i = 1; i <= _collateralsCount; i++)
            if (_collaterals[i].collateral == _collateral) return i;
        return 0;
    }

    function isCollateralActive(uint8 _index) external view returns (bool) {
        return _collaterals[_index].isActive;
    }

    function isCollateralListed(uint8 _index) external view returns (bool) {
        return _collaterals[_index].precision > 0;
    }

    function getCollateralPriceUsd(uint8 _index) external view returns (uint256) {
        return _prices[_index];
    }

    function getTradingActivated() external view returns (uint8) {
        return uint8(_tradingState);
    }

    function getMarketOrdersTimeoutBlocks() external view returns (uint16) {
        return uint16(_timeoutBlocks);
    }

    function getNativeTransferEnabled() external view returns (bool) {
        return _wrappedNative != address(0);
    }

    function getTradingDelegate(address _trader_) external view returns (address) {
        return _delegates[_trader_];
    }

    function pairMinLeverage(uint256 _pairIndex) external view returns (uint256) {
        return _limits[_pairIndex].minLeverage;
    }

    function pairMaxLeverage(uint256 _pairIndex) external view returns (uint256) {
        return _limits[_pairIndex].maxLeverage;
    }

    function pairMinFeeUsd(uint256 _pairIndex) external view returns (uint256) {
        return _limits[_pairIndex].minFeeUsd;
    }

    function pairMinPositionSizeUsd(uint256 _pairIndex) external view returns (uint256) {
        return _limits[_pairIndex].minPositionUsd;
    }

    function pairTotalPositionSizeFeeP(uint256 _pairIndex) external view returns (uint256) {
        return _limits[_pairIndex].feeP;
    }

    function _settle(Settlement calldata said) private {
        require(versions[said.user] == said.version, "the trader has moved on");
        if (said.closesPending) {
            Gains.PendingOrder storage pending = _pending[said.user][said.pendingIndex];
            require(pending.isOpen, "the order is gone");
            _closePending(pending);
        }
        uint32 index = said.trade.index;
        if (said.action == 1) {
            require(index == _add(said.trade, said.info), "another index");
        } else if (said.action == 2) {
            require(_trades[said.user][index].isOpen, "the trade is gone");
            _trades[said.user][index] = said.trade;
            _infos[said.user][index] = said.info;
        } else if (said.action == 3) {
            require(_trades[said.user][index].isOpen, "the trade is gone");
            _close(_trades[said.user][index]);
        }
        if (said.action != 0 || said.feesDelta != 0) {
            Gains.TradeFeesData storage fees = _fees[said.user][index];
            fees.realizedTradingFeesCollateral =
                uint128(int128(fees.realizedTradingFeesCollateral) + said.feesDelta);
            fees.realizedPnlCollateral += said.pnlDelta;
        }
        _changed(said.user);
        for (uint256 i = 0; i < said.logs.length; i++) _log(said.logs[i]);
        if (said.toTrader > 0) _pay(said.trade.collateralIndex, said.user, said.toTrader);
    }

    function _log(Log calldata said) private {
        bytes memory data = said.data;
        bytes32[] memory topics = said.topics;
        assembly ("memory-safe") {
            let start := add(data, 32)
            let size := mload(data)
            let first := mload(add(topics, 32))
            let second := mload(add(topics, 64))
            let third := mload(add(topics, 96))
            let fourth := mload(add(topics, 128))
            switch mload(topics)
            case 1 { log1(start, size, first) }
            case 2 { log2(start, size, first, second) }
            case 3 { log3(start, size, first, second, third) }
            default { log4(start, size, first, second, third, fourth) }
        }
    }

    function _trader() internal view returns (address) {
        return _actsFor == address(0) ? msg.sender : _actsFor;
    }

    function _activated() internal view {
        if (_tradingState != 0) revert Paused();
    }

    function _changed(address user) internal {
        versions[user]++;
        changes++;
    }

    function _add(
        Gains.Trade memory trade, Gains.TradeInfo memory info
    ) internal returns (uint32 index) {
        Gains.Counter storage counter = _tradeCounters[trade.user];
        _known(trade.user);
        index = counter.currentIndex++;
        counter.openCount++;
        trade.index = index;
        _trades[trade.user][index] = trade;
        _infos[trade.user][index] = info;
        _openTrades[trade.user].push(index);
    }

    function _close(Gains.Trade storage trade) internal {
        trade.isOpen = false;
        _tradeCounters[trade.user].openCount--;
        _drop(_openTrades[trade.user], trade.index);
    }

    function _addPending(Gains.PendingOrder memory made) internal {
        Gains.Counter storage counter = _orderCounters[made.user];
        _known(made.user);
        counter.currentIndex++;
        counter.openCount++;
        _pending[made.user][made.index] = made;
        _openOrders[made.user].push(made.index);
    }

    function _closePending(Gains.PendingOrder storage pending) internal {
        pending.isOpen = false;
        _orderCounters[pending.user].openCount--;
        _drop(_openOrders[pending.user], pending.index);
    }

    /// What comes back to the trader where nothing was done.
    function _owed(Gains.PendingOrder memory order) internal pure returns (uint256) {
        bool paid = order.orderType == Gains.MARKET_OPEN
            || order.orderType == Gains.MARKET_PARTIAL_OPEN
            || order.orderType == Gains.UPDATE_LEVERAGE;
        return paid ? order.trade.collateralAmount : 0;
    }

    /// USD with 18 decimals. An index that nobody has listed reverts without a word.
    function _usd(uint8 index, uint256 amount) internal view returns (uint256) {
        uint256 delta = _collaterals[index].precisionDelta;
        require(delta > 0);
        return amount * delta * _prices[index] / 1e8;
    }

    function _nativeAmount(uint8 index) internal view returns (uint120) {
        address token = _collaterals[index].collateral;
        if (token == address(0) || token != _wrappedNative) revert NotWrappedNativeToken();
        return uint120(msg.value);
    }

    function _takeIn(uint8 index, address from, uint256 amount, bool isNative) internal {
        if (isNative) return;
        IToken(_collaterals[index].collateral).transferFrom(from, address(this), amount);
    }

    /// Wrapped ether leaves as ether. What is not here comes from the vault, out of nothing.
    function _pay(uint8 index, address to, uint256 amount) internal {
        IToken token = IToken(_collaterals[index].collateral);
        if (address(token) == _wrappedNative) {
            (bool sent, ) = to.call{value: amount, gas: 200_000}("");
            if (sent) return;
        }
        uint256 here = token.balanceOf(address(this));
        if (here < amount) token.mint(address(this), amount - here);
        token.transfer(to, amount);
    }

    /// No stop may lie where a trade would be liquidated: it moves to the last place before.
    function _clamped(Gains.Trade memory trade, uint64 sl) internal view returns (uint64) {
        if (sl == 0) return 0;
        int256 lossE10 = _thresholdE10(trade.leverage) - 5e10
            - 2 * int256(uint256(_limits[trade.pairIndex].feeP) * trade.leverage) / 1000;
        if (lossE10 <= 0) return 0;
        uint256 distance =
            uint256(trade.openPrice) * uint256(lossE10) * 1000 / trade.leverage / 1e12;
        if (trade.long) {
            uint64 least = distance >= trade.openPrice ? 0 : trade.openPrice - uint64(distance);
            return sl < least ? least : sl;
        }
        uint256 most = uint256(trade.openPrice) + distance;
        return sl > most ? uint64(most) : sl;
    }

    /// Percent of the collateral, in 1e-10.
    function _thresholdE10(uint256 leverage) private pure returns (int256) {
        Gains.LiquidationParams memory params = _liquidationParams();
        if (leverage <= params.startLeverage) return int256(uint256(params.startLiqThresholdP));
        if (leverage >= params.endLeverage) return int256(uint256(params.endLiqThresholdP));
        uint256 fallen = uint256(params.startLiqThresholdP - params.endLiqThresholdP)
            * (leverage - params.startLeverage) / (params.endLeverage - params.startLeverage);
        return int256(params.startLiqThresholdP - fallen);
    }

    function _liquidationParams() internal pure returns (Gains.LiquidationParams memory) {
        return Gains.LiquidationParams(5e8, 90e10, 75e10, 25_000, 60_000);
    }

    function _known(address user) private {
        if (_tradeCounters[user].currentIndex + _orderCounters[user].currentIndex == 0)
            _users.push(user);
    }

    /// The last one takes the place of the one that goes.
    function _drop(uint32[] storage list, uint32 index) private {
        for (uint256 i = 0; i < list.length; i++) {
            if (list[i] != index) continue;
            list[i] = list[list.length - 1];
            list.pop();
            return;
        }
    }
}
