// Calldata of the GMX router and what the Reader answers, encoded by viem from signatures written
// here by hand: nothing of it comes from the pinned ABIs or from the encoder under test.
//
//   npm install viem@2 && node make.mjs > viem.json
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { encodeErrorResult, encodeFunctionData, encodeFunctionResult, parseAbi } from "viem";

const version = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("viem").replace(/_cjs\/.*/, "package.json")),
).version;

const ORDER = [
  "struct Addresses { address receiver; address cancellationReceiver; address callbackContract; address uiFeeReceiver; address market; address initialCollateralToken; address[] swapPath; }",
  "struct Numbers { uint256 sizeDeltaUsd; uint256 initialCollateralDeltaAmount; uint256 triggerPrice; uint256 acceptablePrice; uint256 executionFee; uint256 callbackGasLimit; uint256 minOutputAmount; uint256 validFromTime; }",
  "struct Params { Addresses addresses; Numbers numbers; uint8 orderType; uint8 decreasePositionSwapType; bool isLong; bool shouldUnwrapNativeToken; bool autoCancel; bytes32 referralCode; bytes32[] dataList; }",
];
const router = parseAbi([
  ...ORDER,
  "function multicall(bytes[] data) payable returns (bytes[])",
  "function sendWnt(address receiver, uint256 amount) payable",
  "function sendTokens(address token, address receiver, uint256 amount) payable",
  "function createOrder(Params params) payable returns (bytes32)",
  "function updateOrder(bytes32 key, uint256 sizeDeltaUsd, uint256 acceptablePrice, uint256 triggerPrice, uint256 minOutputAmount, uint256 validFromTime, bool autoCancel) payable",
  "function cancelOrder(bytes32 key) payable",
  "function claimFundingFees(address[] markets, address[] tokens, address receiver) payable returns (uint256[])",
  "function claimCollateral(address[] markets, address[] tokens, uint256[] timeKeys, address receiver) payable returns (uint256[])",
]);
const token = parseAbi(["function approve(address spender, uint256 amount) returns (bool)"]);

const VAULT = "0x31eF83a530Fde1B38EE9A18093A333D8Bbbc40D5";
const USER = "0x1111111111111111111111111111111111111111";
const MARKET = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336";
const BTC_MARKET = "0x47c031236e19d024b42f8AE6780E44A573170703";
const USDC = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831";
const WETH = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1";
const ZERO = "0x0000000000000000000000000000000000000000";
const NONE = `0x${"0".repeat(64)}`;
const KEY = "0x69d633259c6db7bfae5d4f6ce3273ea9ce14aee779bc008c5d1cbe8131c67422";
const MAX = 2n ** 256n - 1n;
const USD = 10n ** 30n;

const call = (functionName, args) => encodeFunctionData({ abi: router, functionName, args });
const order = (changes = {}) => ({
  receiver: USER,
  cancellationReceiver: ZERO,
  callbackContract: ZERO,
  uiFeeReceiver: ZERO,
  market: MARKET,
  initialCollateralToken: USDC,
  swapPath: [],
  sizeDeltaUsd: 10_000n * USD,
  initialCollateralDeltaAmount: 1_000_000_000n,
  triggerPrice: 0n,
  acceptablePrice: 1891354981243218n,
  executionFee: 116_040_000_000_000n,
  callbackGasLimit: 0n,
  minOutputAmount: 0n,
  validFromTime: 0n,
  orderType: 2,
  decreasePositionSwapType: 0,
  isLong: true,
  shouldUnwrapNativeToken: false,
  autoCancel: false,
  referralCode: NONE,
  dataList: [],
  ...changes,
});
const created = (o) => {
  const pick = (names) => Object.fromEntries(names.map((name) => [name, o[name]]));
  return call("createOrder", [
    {
      addresses: pick(["receiver", "cancellationReceiver", "callbackContract", "uiFeeReceiver", "market", "initialCollateralToken", "swapPath"]),
      numbers: pick(["sizeDeltaUsd", "initialCollateralDeltaAmount", "triggerPrice", "acceptablePrice", "executionFee", "callbackGasLimit", "minOutputAmount", "validFromTime"]),
      ...pick(["orderType", "decreasePositionSwapType", "isLong", "shouldUnwrapNativeToken", "autoCancel", "referralCode", "dataList"]),
    },
  ]);
};

const orders = {
  market_increase_long: order(),
  limit_increase_short: order({ orderType: 3, isLong: false, triggerPrice: 1900000000000000n, acceptablePrice: 1899000000000001n }),
  stop_increase_long: order({ orderType: 8, triggerPrice: 2000000000000000n, acceptablePrice: MAX }),
  market_decrease_short: order({ orderType: 4, isLong: false, initialCollateralDeltaAmount: 0n, decreasePositionSwapType: 1, shouldUnwrapNativeToken: true }),
  take_profit_long: order({ orderType: 5, initialCollateralDeltaAmount: 0n, sizeDeltaUsd: MAX, triggerPrice: 2500000000000000n, acceptablePrice: 0n, autoCancel: true }),
  stop_loss_short: order({ orderType: 6, isLong: false, market: BTC_MARKET, initialCollateralDeltaAmount: 0n, triggerPrice: 70000n * 10n ** 22n, acceptablePrice: MAX, autoCancel: true }),
  everything: order({
    cancellationReceiver: "0x2222222222222222222222222222222222222222",
    callbackContract: "0x3333333333333333333333333333333333333333",
    uiFeeReceiver: "0x4444444444444444444444444444444444444444",
    swapPath: [MARKET, BTC_MARKET],
    callbackGasLimit: 500_000n,
    minOutputAmount: 7n,
    validFromTime: 1_795_000_000n,
    orderType: 3,
    decreasePositionSwapType: 2,
    referralCode: `0x474d58${"0".repeat(58)}`,
    dataList: [`0x${"ab".repeat(32)}`, NONE],
  }),
};
const calls = {
  send_wnt: call("sendWnt", [VAULT, 116_040_000_000_000n]),
  send_tokens: call("sendTokens", [USDC, VAULT, 1_000_000_000n]),
  update: call("updateOrder", [KEY, 9_000n * USD, 1891354981243218n, 1880000000000000n, 0n, 0n, true]),
  cancel: call("cancelOrder", [KEY]),
  claim_funding: call("claimFundingFees", [[MARKET, MARKET], [WETH, USDC], USER]),
  claim_collateral: call("claimCollateral", [[MARKET], [USDC], [498_611n], USER]),
};
const entry = orders.market_increase_long;
const exits = [
  order({ orderType: 5, initialCollateralDeltaAmount: 0n, triggerPrice: 2500000000000000n, acceptablePrice: 0n, autoCancel: true }),
  order({ orderType: 6, initialCollateralDeltaAmount: 0n, triggerPrice: 1500000000000000n, acceptablePrice: 0n, autoCancel: true }),
];
const fee = call("sendWnt", [VAULT, entry.executionFee]);
const multicalls = {
  entry: call("multicall", [[fee, calls.send_tokens, created(entry)]]),
  entry_with_exits: call("multicall", [[fee, calls.send_tokens, created(entry), fee, created(exits[0]), fee, created(exits[1])]]),
  empty: call("multicall", [[]]),
};

// What the Reader answers about one order and one position, in either release.
const stored = (uiFee) => [
  "struct A { address account; address receiver; address cancellationReceiver; address callbackContract; address uiFeeReceiver; address market; address initialCollateralToken; address[] swapPath; }",
  `struct N { uint8 orderType; uint8 decreasePositionSwapType; uint256 sizeDeltaUsd; uint256 initialCollateralDeltaAmount; uint256 triggerPrice; uint256 acceptablePrice; uint256 executionFee; uint256 callbackGasLimit; uint256 minOutputAmount; ${uiFee ? "uint256 uiFeeFactor; " : ""}uint256 updatedAtTime; uint256 validFromTime; uint256 srcChainId; }`,
  "struct F { bool isLong; bool shouldUnwrapNativeToken; bool isFrozen; bool autoCancel; }",
  "struct O { A addresses; N numbers; F flags; bytes32[] dataList; }",
  "struct Row { bytes32 orderKey; O order; }",
  "struct PA { address account; address market; address collateralToken; }",
  "struct PN { uint256 sizeInUsd; uint256 sizeInTokens; uint256 collateralAmount; int256 pendingImpactAmount; uint256 borrowingFactor; uint256 fundingFeeAmountPerSize; uint256 longClaimable; uint256 shortClaimable; uint256 increasedAtTime; uint256 decreasedAtTime; }",
  "struct PF { bool isLong; }",
  "struct P { PA addresses; PN numbers; PF flags; }",
  "function getOrder(address dataStore, bytes32 key) view returns (O)",
  "function getAccountOrders(address dataStore, address account, uint256 start, uint256 end) view returns (Row[])",
  "function getPosition(address dataStore, bytes32 key) view returns (P)",
];
const storedOrder = (uiFee, account = USER) => ({
  addresses: { account, receiver: account, cancellationReceiver: ZERO, callbackContract: ZERO, uiFeeReceiver: ZERO, market: MARKET, initialCollateralToken: USDC, swapPath: [] },
  numbers: { orderType: 3, decreasePositionSwapType: 0, sizeDeltaUsd: 10_000n * USD, initialCollateralDeltaAmount: 1_000_000_000n, triggerPrice: 1880000000000000n, acceptablePrice: 1891354981243218n, executionFee: 5n, callbackGasLimit: 0n, minOutputAmount: 0n, ...(uiFee ? { uiFeeFactor: 9n * 10n ** 26n } : {}), updatedAtTime: 1_795_000_206n, validFromTime: 0n, srcChainId: 0n },
  flags: { isLong: true, shouldUnwrapNativeToken: false, isFrozen: true, autoCancel: false },
  dataList: [],
});
const storedPosition = (account = USER) => ({
  addresses: { account, market: MARKET, collateralToken: USDC },
  numbers: { sizeInUsd: 1_000n * USD, sizeInTokens: 333333333333333333n, collateralAmount: 199_400_000n, pendingImpactAmount: -30_000_000_000n, borrowingFactor: 1n, fundingFeeAmountPerSize: 2n, longClaimable: 3n, shortClaimable: 4n, increasedAtTime: 1_795_000_206n, decreasedAtTime: 0n },
  flags: { isLong: true },
});
const answers = (uiFee) => {
  const abi = parseAbi(stored(uiFee));
  const told = (functionName, result) => encodeFunctionResult({ abi, functionName, result });
  return {
    order: told("getOrder", storedOrder(uiFee)),
    no_order: told("getOrder", storedOrder(uiFee, ZERO)),
    orders: told("getAccountOrders", [{ orderKey: KEY, order: storedOrder(uiFee) }, { orderKey: NONE, order: storedOrder(uiFee) }]),
    position: told("getPosition", storedPosition()),
    no_position: told("getPosition", storedPosition(ZERO)),
  };
};

const errors = parseAbi([
  "error OrderNotFulfillableAtAcceptablePrice(uint256 price, uint256 acceptablePrice)",
  "error InsufficientExecutionFee(uint256 minExecutionFee, uint256 executionFee)",
  "error ExternalCallFailed(bytes data)",
  "error Unauthorized(address msgSender, string role)",
  "error Error(string text)",
]);
const failed = (errorName, args) => encodeErrorResult({ abi: errors, errorName, args });
const unfulfillable = failed("OrderNotFulfillableAtAcceptablePrice", [1903000000000000n, 1891354981243218n]);
const reverts = {
  unfulfillable,
  wrapped: failed("ExternalCallFailed", [failed("ExternalCallFailed", [unfulfillable])]),
  fee: failed("InsufficientExecutionFee", [43_500_000_000_000n, 43_499_999_999_999n]),
  router: failed("Unauthorized", [USER, "ROUTER_PLUGIN"]),
  text: failed("Error", ["ERC20: transfer amount exceeds allowance"]),
};

const hex = (value) => Object.fromEntries(Object.entries(value).map(([name, o]) => [name, { params: o, data: created(o) }]));
const plain = (_, value) => (typeof value === "bigint" ? value.toString() : value);
const made = {
  _source: `viem ${version}, make.mjs`,
  orders: hex(orders),
  calls,
  multicalls,
  approve: {
    exact: encodeFunctionData({ abi: token, functionName: "approve", args: ["0x7452c558d45f8afC8c83dAe62C3f8A5BE19c71f6", 1_000_000_000n] }),
    unlimited: encodeFunctionData({ abi: token, functionName: "approve", args: ["0x7452c558d45f8afC8c83dAe62C3f8A5BE19c71f6", MAX] }),
  },
  answers: { "v2.2b": answers(false), "v2.2c": answers(true) },
  reverts,
};
console.log(JSON.stringify(made, plain, 1));
