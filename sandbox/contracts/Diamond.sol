// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {GainsStore} from "./GainsStore.sol";
import {Gains} from "./Gains.sol";

/// Takes requests of traders as gTrade's diamond does, in the order of its tests. What becomes of
/// them is worked out by the keeper of the sandbox, which tells it in ``settle``.
contract Diamond is GainsStore {
    uint256 private constant MAX_CALLS = 20;
    uint8 private constant MARKET = 0;

    function openTrade(Gains.Trade calldata _trade, uint16 _maxSlippageP, address) external {
        _open(_trade, _maxSlippageP, false);
    }

    function openTradeNative(
        Gains.Trade calldata _trade, uint16 _maxSlippageP, address
    ) external payable {
        _open(_trade, _maxSlippageP, true);
    }

    function closeTradeMarket(uint32 _index, uint64 _expectedPrice) external {
        if (_expectedPrice == 0) revert ZeroValue();
        Gains.Trade memory trade = _position(_index);
        trade.openPrice = _expectedPrice;
        Gains.Id memory id = _request(
            trade, Gains.MARKET_CLOSE, _infos[trade.user][_index].maxSlippageP
        );
        emit MarketOrderInitiated(id, trade.user, trade.pairIndex, false);
    }

    function updateLeverage(uint32 _index, uint24 _newLeverage) external {
        _updateLeverage(_index, _newLeverage, false);
    }

    function updateLeverageNative(uint32 _index, uint24 _newLeverage) external payable {
        _updateLeverage(_index, _newLeverage, true);
    }

    function increasePositionSize(
        uint32 _index, uint120 _collateralDelta, uint24 _leverageDelta, uint64 _expectedPrice,
        uint16 _maxSlippageP
    ) external {
        _increase(_index, _collateralDelta, _leverageDelta, _expectedPrice, _maxSlippageP, false);
    }

    function increasePositionSizeNative(
        uint32 _index, uint120 _collateralDelta, uint24 _leverageDelta, uint64 _expectedPrice,
        uint16 _maxSlippageP
    ) external payable {
        _increase(_index, _collateralDelta, _leverageDelta, _expectedPrice, _maxSlippageP, true);
    }

    function decreasePositionSize(
        uint32 _index, uint120 _collateralDelta, uint24 _leverageDelta, uint64 _expectedPrice
    ) external {
        Gains.Trade memory trade = _position(_index);
        if ((_collateralDelta == 0) == (_leverageDelta == 0) || _expectedPrice == 0)
            revert InvalidDecreasePositionSizeInput();
        if (_collateralDelta >= trade.collateralAmount || _leverageDelta >= trade.leverage)
            revert InvalidDecreasePositionSizeInput();
        uint120 kept = trade.collateralAmount - _collateralDelta;
        if (_usd(trade.collateralIndex, kept) < _limits[trade.pairIndex].minFeeUsd)
            revert InsufficientCollateral();
        if (trade.leverage - _leverageDelta < _limits[trade.pairIndex].minLeverage)
            revert WrongLeverage();
        trade.collateralAmount = _collateralDelta;
        trade.leverage = _leverageDelta;
        trade.openPrice = _expectedPrice;
        Gains.Id memory id = _request(
            trade, Gains.MARKET_PARTIAL_CLOSE, _infos[trade.user][_index].maxSlippageP
        );
        emit PositionSizeUpdateInitiated(
            id, trade.user, trade.pairIndex, _index, false, _collateralDelta, _leverageDelta
        );
    }

    function withdrawPositivePnl(uint32 _index, uint120 _amountCollateral) external {
        if (_amountCollateral == 0) revert ZeroValue();
        Gains.Trade memory trade = _position(_index);
        trade.positionSizeToken = _amountCollateral;
        Gains.Id memory id = _request(trade, Gains.PNL_WITHDRAWAL, 0);
        emit PositivePnlWithdrawalInitiated(id, trade.user, _index, _amountCollateral);
    }

    function updateTp(uint32 _index, uint64 _newTp) external {
        _activated();
        Gains.Trade storage trade = _openTrade(_index);
        trade.tp = _newTp;
        _infos[trade.user][_index].tpLastUpdatedBlock = uint32(block.number);
        _changed(trade.user);
        emit TradeTpUpdated(trade.user, _index, _newTp);
    }

    function updateSl(uint32 _index, uint64 _newSl) external {
        _activated();
        Gains.Trade storage trade = _openTrade(_index);
        uint64 newSl = _clamped(trade, _newSl);
        trade.sl = newSl;
        _infos[trade.user][_index].slLastUpdatedBlock = uint32(block.number);
        _changed(trade.user);
        emit TradeSlUpdated(trade.user, _index, newSl);
    }

    function updateMaxClosingSlippageP(uint32 _index, uint16 _maxSlippageP) external {
        Gains.Trade storage trade = _openTrade(_index);
        if (trade.tradeType != MARKET) revert WrongTradeType();
        _infos[trade.user][_index].maxSlippageP = _maxSlippageP;
        _changed(trade.user);
        emit TradeMaxClosingSlippagePUpdated(trade.user, _index, _maxSlippageP);
    }

    function updateOpenOrder(
        uint32 _index, uint64 _triggerPrice, uint64 _tp, uint64 _sl, uint16 _maxSlippageP
    ) external {
        _activated();
        Gains.Trade storage trade = _openTrade(_index);
        if (trade.tradeType == MARKET) revert WrongTradeType();
        Gains.Trade memory changed = trade;
        (changed.openPrice, changed.tp, changed.sl) = (_triggerPrice, _tp, _sl);
        _checkPrices(changed, _maxSlippageP);
        (trade.openPrice, trade.tp, trade.sl) = (_triggerPrice, _tp, _clamped(changed, _sl));
        Gains.TradeInfo storage info = _infos[trade.user][_index];
        info.maxSlippageP = _maxSlippageP;
        info.createdBlock = info.tpLastUpdatedBlock = info.slLastUpdatedBlock =
            uint32(block.number);
        _changed(trade.user);
        emit OpenOrderDetailsUpdated(
            trade.user, _index, _triggerPrice, _tp, trade.sl, _maxSlippageP
        );
        emit OpenLimitUpdated(
            trade.user, trade.pairIndex, _index, _triggerPrice, _tp, trade.sl, _maxSlippageP
        );
    }

    function cancelOpenOrder(uint32 _index) external {
        Gains.Trade storage trade = _openTrade(_index);
        if (trade.tradeType == MARKET) revert WrongTradeType();
        Gains.Trade memory gone = trade;
        _close(trade);
        _changed(gone.user);
        emit TradeClosed(gone.user, _index, false);
        _pay(gone.collateralIndex, gone.user, gone.collateralAmount);
        emit OpenLimitCanceled(gone.user, gone.pairIndex, _index);
    }

    function cancelOrderAfterTimeout(uint32 _orderIndex) external {
        address user = _trader();
        Gains.PendingOrder storage pending = _pending[user][_orderIndex];
        if (!pending.isOpen) revert NoOrder();
        if (block.number < pending.createdBlock + _timeoutBlocks) revert WaitTimeout();
        Gains.PendingOrder memory gone = pending;
        Gains.Id memory id = Gains.Id(user, _orderIndex);
        _closePending(pending);
        _changed(user);
        emit PendingOrderClosed(id);
        emit ChainlinkCallbackTimeout(id, gone.trade.pairIndex);
        uint256 back = _owed(gone);
        if (back == 0) return;
        _pay(gone.trade.collateralIndex, user, back);
        emit CollateralReturnedAfterTimeout(id, gone.trade.collateralIndex, user, back);
    }

    function setTradingDelegate(address _delegate) external {
        if (_delegate == address(0)) revert ZeroAddress();
        _delegates[msg.sender] = _delegate;
    }

    function removeTradingDelegate() external {
        if (_delegates[msg.sender] == address(0)) revert DelegateNotApproved();
        delete _delegates[msg.sender];
    }

    function delegatedTradingAction(
        address _trader_, bytes calldata _callData
    ) external returns (bytes memory) {
        bytes4 selector = bytes4(_callData);
        if (
            _actsFor != address(0) || selector == this.openTradeNative.selector
                || selector == this.updateLeverageNative.selector
                || selector == this.increasePositionSizeNative.selector
                || selector == this.delegatedTradingAction.selector
        ) revert DelegatedActionNotAllowed();
        if (_delegates[_trader_] != msg.sender) revert DelegateNotApproved();
        _actsFor = _trader_;
        bytes memory result = _call(_callData);
        _actsFor = address(0);
        return result;
    }

    function multicall(bytes[] calldata data) external returns (bytes[] memory results) {
        if (data.length > MAX_CALLS) revert AboveMax();
        results = new bytes[](data.length);
        for (uint256 i = 0; i < data.length; i++) results[i] = _call(data[i]);
    }

    function _open(Gains.Trade memory trade, uint16 maxSlippageP, bool isNative) private {
        _activated();
        PairLimits memory limits = _limits[trade.pairIndex];
        address user = _trader();
        (trade.user, trade.index, trade.isOpen) = (user, 0, true);
        (trade.positionSizeToken, trade.__placeholder) = (0, 0);
        if (isNative) trade.collateralAmount = _nativeAmount(trade.collateralIndex);
        uint256 usd = _usd(trade.collateralIndex, trade.collateralAmount);
        if (usd < 5 * uint256(limits.minFeeUsd)) revert InsufficientCollateral();
        if (trade.leverage < limits.minLeverage || trade.leverage > limits.maxLeverage)
            revert WrongLeverage();
        if (trade.openPrice == 0) revert BelowMin();
        _takeIn(trade.collateralIndex, user, trade.collateralAmount, isNative);
        if (trade.pairIndex >= pairsCount) revert TradePairNotListed();
        if (trade.collateralAmount == 0) revert TradePositionSizeZero();
        if (!_collaterals[trade.collateralIndex].isActive) revert InvalidCollateralIndex();
        _checkPrices(trade, maxSlippageP);
        if (trade.tradeType == MARKET) {
            Gains.Id memory id = _request(trade, Gains.MARKET_OPEN, maxSlippageP);
            emit MarketOrderInitiated(id, user, trade.pairIndex, true);
            return;
        }
        trade.sl = _clamped(trade, trade.sl);
        Gains.TradeInfo memory info;
        info.createdBlock = info.tpLastUpdatedBlock = info.slLastUpdatedBlock =
            uint32(block.number);
        info.maxSlippageP = maxSlippageP;
        info.lastOiUpdateTs = uint48(block.timestamp);
        info.collateralPriceUsd = uint48(_prices[trade.collateralIndex]);
        info.contractsVersion = 2;
        trade.index = _add(trade, info);
        _changed(user);
        emit TradeStored(user, trade.index, trade, info, _liquidationParams());
        emit OpenOrderPlaced(user, trade.pairIndex, trade.index);
    }

    function _updateLeverage(uint32 index, uint24 newLeverage, bool isNative) private {
        _activated();
        Gains.Trade memory trade = _position(index);
        PairLimits memory limits = _limits[trade.pairIndex];
        if (
            newLeverage == trade.leverage || newLeverage < limits.minLeverage
                || newLeverage > limits.maxLeverage
        ) revert WrongLeverage();
        uint256 needed = uint256(trade.collateralAmount) * trade.leverage / newLeverage;
        if (_usd(trade.collateralIndex, needed) < limits.minFeeUsd)
            revert InsufficientCollateral();
        bool isIncrease = newLeverage > trade.leverage;
        uint120 delta = isIncrease ? 0 : uint120(needed - trade.collateralAmount);
        if (!isIncrease) {
            if (isNative && _nativeAmount(trade.collateralIndex) != delta) revert InvalidAmount();
            _takeIn(trade.collateralIndex, trade.user, delta, isNative);
        }
        trade.leverage = newLeverage;
        trade.collateralAmount = delta;
        Gains.Id memory id = _request(trade, Gains.UPDATE_LEVERAGE, 0);
        emit LeverageUpdateInitiated(
            id, trade.user, trade.pairIndex, index, isIncrease, newLeverage
        );
    }

    function _increase(
        uint32 index, uint120 collateralDelta, uint24 leverageDelta, uint64 expectedPrice,
        uint16 maxSlippageP, bool isNative
    ) private {
        _activated();
        Gains.Trade memory trade = _position(index);
        if (isNative) collateralDelta = _nativeAmount(trade.collateralIndex);
        if (leverageDelta == 0 || expectedPrice == 0 || maxSlippageP == 0)
            revert InvalidIncreasePositionSizeInput();
        uint256 base = collateralDelta == 0 ? trade.collateralAmount : collateralDelta;
        uint256 added = base * leverageDelta;
        uint256 size = uint256(trade.collateralAmount) * trade.leverage + added;
        uint256 leverage = size / (uint256(trade.collateralAmount) + collateralDelta);
        PairLimits memory limits = _limits[trade.pairIndex];
        if (leverage < limits.minLeverage || leverage > limits.maxLeverage) revert WrongLeverage();
        if (collateralDelta > 0)
            _takeIn(trade.collateralIndex, trade.user, collateralDelta, isNative);
        trade.collateralAmount = collateralDelta;
        trade.leverage = leverageDelta;
        trade.openPrice = expectedPrice;
        Gains.Id memory id = _request(trade, Gains.MARKET_PARTIAL_OPEN, maxSlippageP);
        emit PositionSizeUpdateInitiated(
            id, trade.user, trade.pairIndex, index, true, collateralDelta, leverageDelta
        );
    }

    /// A position of the caller that nothing else is asked for.
    function _position(uint32 index) private view returns (Gains.Trade memory trade) {
        trade = _openTrade(index);
        if (trade.tradeType != MARKET) revert WrongTradeType();
        address user = trade.user;
        for (uint256 i = 0; i < _openOrders[user].length; i++) {
            Gains.PendingOrder storage other = _pending[user][_openOrders[user][i]];
            if (other.orderType != Gains.MARKET_OPEN && other.trade.index == index)
                revert ConflictingPendingOrder(other.orderType);
        }
    }

    function _openTrade(uint32 index) private view returns (Gains.Trade storage trade) {
        trade = _trades[_trader()][index];
        if (trade.collateralIndex == 0) revert InvalidCollateralIndex();
        if (!trade.isOpen) revert DoesntExist();
    }

    function _request(
        Gains.Trade memory trade, uint8 orderType, uint16 maxSlippageP
    ) private returns (Gains.Id memory) {
        uint32 index = _orderCounters[trade.user].currentIndex;
        Gains.PendingOrder memory made = Gains.PendingOrder(
            trade, trade.user, index, true, orderType, uint32(block.number), maxSlippageP
        );
        _addPending(made);
        _changed(trade.user);
        emit PendingOrderStored(made);
        return Gains.Id(trade.user, index);
    }

    function _checkPrices(Gains.Trade memory trade, uint16 maxSlippageP) private pure {
        if (trade.openPrice == 0) revert TradeOpenPriceZero();
        (uint64 tp, uint64 sl) = (trade.tp, trade.sl);
        bool hasTp = tp != 0;
        bool hasSl = sl != 0;
        if (hasTp && (trade.long ? tp <= trade.openPrice : tp >= trade.openPrice))
            revert TradeTpInvalid();
        if (hasSl && (trade.long ? sl >= trade.openPrice : sl <= trade.openPrice))
            revert TradeSlInvalid();
        if (maxSlippageP == 0) revert MaxSlippageZero();
    }

    function _call(bytes calldata data) private returns (bytes memory) {
        (bool done, bytes memory result) = address(this).delegatecall(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        return result;
    }
}
