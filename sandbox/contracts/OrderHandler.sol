// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

import {GmxEvents} from "./GmxEvents.sol";
import {Gmx, IDataStore, IOrderVault, IRoleStore, IToken} from "./Gmx.sol";

/// Takes orders of users as GMX does. What becomes of them is worked out by the keeper of the
/// sandbox, which tells it here: positions, payments and what the emitter is to say.
contract OrderHandler {
    /// From where a payment comes: the vault, or out of nothing, where GMX would take it from a pool.
    struct Payment {
        address token;
        address receiver;
        uint256 amount;
        bool fromVault;
        bool isNative;
    }

    struct Settlement {
        bytes32 key;
        uint256 version;
        bool freezes;
        bytes32 positionKey;
        Gmx.Position position;
        Payment[] payments;
        bytes[] says;
    }

    /// An order with the position that it would change.
    struct Pending {
        bytes32 key;
        uint256 version;
        uint256 createdAtTime;
        Gmx.Order order;
        bytes32 positionKey;
        Gmx.Position position;
    }

    uint256 private constant MIN_GAS_FOR_CANCELLATION = 1_200_000;
    uint256 private constant MAX_AUTO_CANCEL_ORDERS = 11;
    uint256 private constant ORACLE_PRICES = 3;

    mapping(bytes32 key => Gmx.Order) private _orders;
    mapping(bytes32 key => Gmx.Position) private _positions;
    mapping(bytes32 key => uint256) private _createdAt;
    /// Counts what happened to an account, so that nothing is settled by what is no longer true.
    mapping(address account => uint256) public versions;
    /// Counts what happened to anybody.
    uint256 public changes;

    error DisabledFeature(bytes32 key);
    error DisabledMarket(address market);
    error EmptyAccount();
    error EmptyMarket();
    error EmptyOrder();
    error EmptyReceiver();
    error InsufficientExecutionFee(uint256 minExecutionFee, uint256 executionFee);
    error InsufficientGasForCancellation(uint256 gas, uint256 minHandleExecutionErrorGas);
    error InsufficientWntAmountForExecutionFee(uint256 wntAmount, uint256 executionFee);
    error InvalidPositionMarket(address market);
    error MaxAutoCancelOrdersExceeded(uint256 count, uint256 maxAutoCancelOrders);
    error OrderNotUpdatable(uint256 orderType);
    error OrderTypeCannotBeCreated(uint256 orderType);
    error RequestNotYetCancellable(uint256 requestAge, uint256 expirationAge, string requestType);
    error Unauthorized(address msgSender, string role);
    error UnexpectedValidFromTime(uint256 orderType);

    receive() external payable {}

    function createOrder(
        address account, uint256 srcChainId, Gmx.CreateOrderParams calldata params, bool
    ) external returns (bytes32 key) {
        _onlyController();
        _refuseDisabled("CREATE_ORDER_FEATURE_DISABLED", params.orderType);
        if (account == address(0)) revert EmptyAccount();
        Gmx.Order memory made = _made(account, srcChainId, params);
        _take(made);
        _checkMarket(made.addresses.market);
        if (Gmx.isMarketOrder(params.orderType) && params.numbers.validFromTime != 0)
            revert UnexpectedValidFromTime(params.orderType);
        if (params.addresses.receiver == address(0)) revert EmptyReceiver();
        _checkFee(made);
        uint256 nonce = IDataStore(Gmx.DATA_STORE).incrementUint(Gmx.key("NONCE"), 1);
        key = keccak256(abi.encode(Gmx.DATA_STORE, nonce));
        _createdAt[key] = block.timestamp;
        _store(key, made);
        GmxEvents.created(key, made);
    }

    function updateOrder(bytes32 key, Gmx.Update calldata to) external {
        _onlyController();
        Gmx.Order memory changed = _orders[key];
        if (Gmx.isMarketOrder(changed.numbers.orderType))
            revert OrderNotUpdatable(changed.numbers.orderType);
        _refuseDisabled("UPDATE_ORDER_FEATURE_DISABLED", changed.numbers.orderType);
        changed.numbers.sizeDeltaUsd = to.sizeDeltaUsd;
        changed.numbers.acceptablePrice = to.acceptablePrice;
        changed.numbers.triggerPrice = to.triggerPrice;
        changed.numbers.minOutputAmount = to.minOutputAmount;
        changed.numbers.validFromTime = to.validFromTime;
        changed.numbers.updatedAtTime = block.timestamp;
        changed.numbers.executionFee += IOrderVault(Gmx.ORDER_VAULT).recordTransferIn(Gmx.WNT);
        changed.flags.isFrozen = false;
        changed.flags.autoCancel = to.autoCancel;
        _checkFee(changed);
        _store(key, changed);
        GmxEvents.updated(key, changed);
    }

    function cancelOrder(bytes32 key) external {
        _onlyController();
        Gmx.Order memory gone = _orders[key];
        _refuseDisabled("CANCEL_ORDER_FEATURE_DISABLED", gone.numbers.orderType);
        if (Gmx.isMarketOrder(gone.numbers.orderType)) {
            uint256 age = block.timestamp - _createdAt[key];
            uint256 expiry = IDataStore(Gmx.DATA_STORE).getUint(Gmx.key("REQUEST_EXPIRATION_TIME"));
            if (age < expiry) revert RequestNotYetCancellable(age, expiry, "Order");
        }
        if (gasleft() < MIN_GAS_FOR_CANCELLATION)
            revert InsufficientGasForCancellation(gasleft(), MIN_GAS_FOR_CANCELLATION);
        _forget(key, gone);
        GmxEvents.cancelled(key, gone.addresses.account);
        _giveBack(gone);
        if (gone.numbers.executionFee > 0) {
            IOrderVault(Gmx.ORDER_VAULT).transferOutNativeToken(
                gone.addresses.receiver, gone.numbers.executionFee
            );
            GmxEvents.refunded(gone.addresses.receiver, gone.numbers.executionFee);
        }
    }

    /// Of the keeper: what became of orders, in one transaction.
    function settle(Settlement[] calldata all) external {
        for (uint256 i = 0; i < all.length; i++) _settle(all[i]);
    }

    /// Of orders that the sandbox tells of but nobody has sent.
    function say(address emitter, bytes[] calldata calls) public {
        for (uint256 i = 0; i < calls.length; i++) {
            (bool done, ) = emitter.call(calls[i]);
            require(done, "the emitter refused");
        }
    }

    function order(bytes32 key) external view returns (Gmx.Order memory) {
        return _orders[key];
    }

    function position(bytes32 key) external view returns (Gmx.Position memory) {
        return _positions[key];
    }

    /// For the keeper: orders in the order of their list.
    function pending(uint256 start, uint256 end) external view returns (Pending[] memory found) {
        bytes32[] memory keys = IDataStore(Gmx.DATA_STORE).getBytes32ValuesAt(
            Gmx.key("ORDER_LIST"), start, end
        );
        found = new Pending[](keys.length);
        for (uint256 i = 0; i < keys.length; i++) {
            Gmx.Order memory each = _orders[keys[i]];
            bytes32 place = _positionKey(each);
            found[i] = Pending(
                keys[i], versions[each.addresses.account], _createdAt[keys[i]], each, place,
                _positions[place]
            );
        }
    }

    function _settle(Settlement calldata said) private {
        Gmx.Order memory done = _orders[said.key];
        address account = done.addresses.account;
        if (account == address(0)) revert EmptyOrder();
        require(versions[account] == said.version, "the account has moved on");
        if (said.freezes) {
            done.flags.isFrozen = true;
            done.numbers.executionFee = 0;
            _store(said.key, done);
        } else {
            _forget(said.key, done);
        }
        if (said.positionKey != bytes32(0)) _setPosition(said.positionKey, said.position);
        for (uint256 i = 0; i < said.payments.length; i++) _pay(said.payments[i]);
        say(Gmx.EVENT_EMITTER, said.says);
    }

    function _made(
        address account, uint256 srcChainId, Gmx.CreateOrderParams calldata params
    ) private view returns (Gmx.Order memory made) {
        made.addresses = Gmx.OrderAddresses(
            account, params.addresses.receiver, params.addresses.cancellationReceiver,
            params.addresses.callbackContract, params.addresses.uiFeeReceiver,
            params.addresses.market, params.addresses.initialCollateralToken,
            params.addresses.swapPath
        );
        Gmx.OrderNumbers memory numbers = made.numbers;
        numbers.orderType = params.orderType;
        numbers.decreasePositionSwapType = params.decreasePositionSwapType;
        numbers.sizeDeltaUsd = params.numbers.sizeDeltaUsd;
        numbers.initialCollateralDeltaAmount = params.numbers.initialCollateralDeltaAmount;
        numbers.triggerPrice = params.numbers.triggerPrice;
        numbers.acceptablePrice = params.numbers.acceptablePrice;
        numbers.executionFee = params.numbers.executionFee;
        numbers.callbackGasLimit = params.numbers.callbackGasLimit;
        numbers.minOutputAmount = params.numbers.minOutputAmount;
        numbers.updatedAtTime = block.timestamp;
        numbers.validFromTime = params.numbers.validFromTime;
        numbers.srcChainId = srcChainId;
        made.flags = Gmx.OrderFlags(
            params.isLong, params.shouldUnwrapNativeToken, false, params.autoCancel
        );
        made._dataList = params.dataList;
    }

    /// Books what has arrived in the vault to the order.
    function _take(Gmx.Order memory made) private {
        IOrderVault vault = IOrderVault(Gmx.ORDER_VAULT);
        Gmx.OrderNumbers memory numbers = made.numbers;
        if (Gmx.isIncrease(numbers.orderType)) {
            uint256 arrived = vault.recordTransferIn(made.addresses.initialCollateralToken);
            if (made.addresses.initialCollateralToken == Gmx.WNT) {
                if (arrived < numbers.executionFee)
                    revert InsufficientWntAmountForExecutionFee(arrived, numbers.executionFee);
                numbers.initialCollateralDeltaAmount = arrived - numbers.executionFee;
                return;
            }
            numbers.initialCollateralDeltaAmount = arrived;
        } else if (!Gmx.isDecrease(numbers.orderType)) {
            revert OrderTypeCannotBeCreated(numbers.orderType);
        }
        uint256 wnt = vault.recordTransferIn(Gmx.WNT);
        if (wnt < numbers.executionFee)
            revert InsufficientWntAmountForExecutionFee(wnt, numbers.executionFee);
        numbers.executionFee = wnt;
    }

    function _checkMarket(address market) private view {
        if (market == address(0)) revert EmptyMarket();
        Gmx.Market memory found = Gmx.marketOf(market);
        if (found.marketToken == address(0)) revert EmptyMarket();
        bytes32 disabled = keccak256(abi.encode(Gmx.key("IS_MARKET_DISABLED"), market));
        if (IDataStore(Gmx.DATA_STORE).getBool(disabled)) revert DisabledMarket(market);
        if (found.indexToken == address(0)) revert InvalidPositionMarket(market);
    }

    /// The fee has to cover the keeper's gas at the price of gas of this transaction.
    function _checkFee(Gmx.Order memory made) private view {
        IDataStore store = IDataStore(Gmx.DATA_STORE);
        uint256 swaps = made.addresses.swapPath.length;
        if (made.numbers.decreasePositionSwapType != 0) swaps++;
        bool isIncrease = Gmx.isIncrease(made.numbers.orderType);
        uint256 gas = store.getUint(
            Gmx.key(isIncrease ? "INCREASE_ORDER_GAS_LIMIT" : "DECREASE_ORDER_GAS_LIMIT")
        );
        gas += store.getUint(Gmx.key("SINGLE_SWAP_GAS_LIMIT")) * swaps;
        gas += made.numbers.callbackGasLimit;
        uint256 prices = ORACLE_PRICES + made.addresses.swapPath.length;
        uint256 least = store.getUint(Gmx.key("ESTIMATED_GAS_FEE_BASE_AMOUNT_V2_1"))
            + store.getUint(Gmx.key("ESTIMATED_GAS_FEE_PER_ORACLE_PRICE")) * prices
            + gas * store.getUint(Gmx.key("ESTIMATED_GAS_FEE_MULTIPLIER_FACTOR")) / 1e30;
        least *= tx.gasprice;
        if (made.numbers.executionFee < least)
            revert InsufficientExecutionFee(least, made.numbers.executionFee);
    }

    function _store(bytes32 key, Gmx.Order memory to) private {
        IDataStore store = IDataStore(Gmx.DATA_STORE);
        address account = to.addresses.account;
        _orders[key] = to;
        store.addBytes32(Gmx.key("ORDER_LIST"), key);
        store.addBytes32(Gmx.accountList("ACCOUNT_ORDER_LIST", account), key);
        bytes32 autoCancels = _autoCancelList(to);
        if (to.flags.autoCancel && Gmx.isDecrease(to.numbers.orderType)) {
            store.addBytes32(autoCancels, key);
            uint256 count = store.getBytes32Count(autoCancels);
            if (count > MAX_AUTO_CANCEL_ORDERS)
                revert MaxAutoCancelOrdersExceeded(count, MAX_AUTO_CANCEL_ORDERS);
        } else {
            store.removeBytes32(autoCancels, key);
        }
        versions[account]++;
        changes++;
    }

    function _forget(bytes32 key, Gmx.Order memory gone) private {
        IDataStore store = IDataStore(Gmx.DATA_STORE);
        address account = gone.addresses.account;
        store.removeBytes32(Gmx.key("ORDER_LIST"), key);
        store.removeBytes32(Gmx.accountList("ACCOUNT_ORDER_LIST", account), key);
        store.removeBytes32(_autoCancelList(gone), key);
        delete _orders[key];
        delete _createdAt[key];
        versions[account]++;
        changes++;
    }

    function _setPosition(bytes32 key, Gmx.Position calldata to) private {
        IDataStore store = IDataStore(Gmx.DATA_STORE);
        bytes32 list = Gmx.accountList("ACCOUNT_POSITION_LIST", to.addresses.account);
        if (to.numbers.sizeInUsd == 0) {
            delete _positions[key];
            store.removeBytes32(Gmx.key("POSITION_LIST"), key);
            store.removeBytes32(list, key);
        } else {
            _positions[key] = to;
            store.addBytes32(Gmx.key("POSITION_LIST"), key);
            store.addBytes32(list, key);
        }
    }

    function _giveBack(Gmx.Order memory gone) private {
        uint256 amount = gone.numbers.initialCollateralDeltaAmount;
        if (!Gmx.isIncrease(gone.numbers.orderType) || amount == 0) return;
        address receiver = gone.addresses.cancellationReceiver;
        if (receiver == address(0)) receiver = gone.addresses.account;
        address token = gone.addresses.initialCollateralToken;
        _pay(
            Payment(
                token, receiver, amount, true,
                gone.flags.shouldUnwrapNativeToken && token == Gmx.WNT
            )
        );
    }

    function _pay(Payment memory payment) private {
        if (payment.fromVault && payment.isNative) {
            IOrderVault(Gmx.ORDER_VAULT).transferOutNativeToken(payment.receiver, payment.amount);
        } else if (payment.fromVault) {
            IOrderVault(Gmx.ORDER_VAULT).transferOut(
                payment.token, payment.receiver, payment.amount
            );
        } else if (payment.isNative) {
            (bool done, ) = payment.receiver.call{value: payment.amount, gas: 200_000}("");
            if (!done) IToken(payment.token).mint(payment.receiver, payment.amount);
        } else {
            IToken(payment.token).mint(payment.receiver, payment.amount);
        }
    }

    function _positionKey(Gmx.Order memory of_) private view returns (bytes32) {
        address token = of_.addresses.initialCollateralToken;
        if (Gmx.isIncrease(of_.numbers.orderType)) {
            for (uint256 i = 0; i < of_.addresses.swapPath.length; i++) {
                Gmx.Market memory hop = Gmx.marketOf(of_.addresses.swapPath[i]);
                token = token == hop.longToken ? hop.shortToken : hop.longToken;
            }
        }
        return Gmx.positionKey(
            of_.addresses.account, of_.addresses.market, token, of_.flags.isLong
        );
    }

    function _autoCancelList(Gmx.Order memory of_) private view returns (bytes32) {
        return keccak256(abi.encode(Gmx.key("AUTO_CANCEL_ORDER_LIST"), _positionKey(of_)));
    }

    function _refuseDisabled(string memory feature, uint8 orderType) private view {
        bytes32 key = keccak256(abi.encode(Gmx.key(feature), address(this), uint256(orderType)));
        if (IDataStore(Gmx.DATA_STORE).getBool(key)) revert DisabledFeature(key);
    }

    function _onlyController() private view {
        bytes32 role = keccak256(abi.encode("CONTROLLER"));
        if (!IRoleStore(Gmx.ROLE_STORE).hasRole(msg.sender, role))
            revert Unauthorized(msg.sender, "CONTROLLER");
    }
}
