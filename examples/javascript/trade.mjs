// Opens a position and closes it again, signing with a key (that of PRIVATE_KEY). The signed
// transactions are handed to perptape, or, with RPC_URL, sent to that node by us and told by hash, as a
// wallet in a browser does it.
//
//     PRIVATE_KEY=0x.. [RPC_URL=..] node trade.mjs [URL [MARKET [VENUE [CHAIN [USD [POOL]]]]]]
import { randomUUID } from "node:crypto";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { Client, Problem } from "./client.mjs";

const defaults = ["http://127.0.0.1:8000", "ETH-USD", "gmx", "42161", "1000"];
const said = process.argv.slice(2);
const [url, market, venue, chain, notional_usd] = defaults.map((usual, at) => said[at] ?? usual);
const pool = said[defaults.length]; // Without one: the best of all.
const key = process.env.PRIVATE_KEY;
if (!key) throw new Error("PRIVATE_KEY is the key of the account that trades");
const account = privateKeyToAccount(key);
const rpc = process.env.RPC_URL;
const wallet = rpc && createWalletClient({ account, transport: http(rpc) });

const client = new Client(url);
await client.login(key, Number(chain));
console.log("signed in as", account.address);

// What may be asked again is, for a while: prices go for a moment, nodes are slow.
async function patiently(ask) {
  for (let left = 30; ; left -= 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Problem) || !error.retryable || left === 0) throw error;
      await pause();
    }
  }
}

// What is left out for a moment, because its price is gone, may be there the next time.
async function found(ask, isThere) {
  for (let left = 10; ; left -= 1) {
    const answer = await patiently(ask());
    if (isThere(answer) || left === 0) return answer;
    await pause();
  }
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, 1_000));
}

async function quoted(wanted) {
  const asked = () => () => client.routes(wanted);
  const { best: offered, routes, excluded } = await found(asked, (row) => row.routes.length > 0);
  if (routes.length === 0) {
    throw new Error(`no route: ${excluded.map((row) => `${row.venue} ${row.code}`).join(", ")}`);
  }
  // Routes are ranked by cost; the one to take is the first that the wallet can pay for.
  const best = routes.find((row) => (pool ? row.pool === pool : row.route_id === offered));
  if (!best) throw new Error(`no route through ${pool}`);
  console.log("route", best.route_id, "at", best.expected_price, "all in", best.all_in_bps, "bps");
  return patiently(() => client.guardedQuote(wanted, best.route_id));
}

// The fields of a step are decimal texts.
function transaction(tx) {
  return {
    chainId: Number(tx.chain_id),
    to: tx.to,
    value: BigInt(tx.value),
    data: tx.data,
    nonce: Number(tx.nonce),
    gas: BigInt(tx.gas),
    type: "eip1559",
    maxFeePerGas: BigInt(tx.max_fee_per_gas),
    maxPriorityFeePerGas: BigInt(tx.max_priority_fee_per_gas),
  };
}

async function signed(tx) {
  const raw_transaction = await account.signTransaction(transaction(tx));
  if (!wallet) return { raw_transaction };
  return { tx_hash: await wallet.sendRawTransaction({ serializedTransaction: raw_transaction }) };
}

// Signs step after step until the venue has filled the order. A mined transaction is no fill: the
// venue's keeper decides some blocks later.
async function carriedOut(order) {
  const done = new Set();
  let state = null;
  while (!order.terminal) {
    if (order.state !== state) console.log("order", order.id, (state = order.state));
    const step = order.steps.find((item) => item.status === "ready" && item.tx);
    const name = step && `${step.id} ${step.version}`;
    if (step && !done.has(name)) {
      await client.submit(order.id, step, await signed(step.tx));
      done.add(name);
    }
    order = await patiently(() => client.orderNow(order.id, order.version + 1));
  }
  if (order.state !== "filled") {
    throw new Error(`${order.state}: ${order.reason?.code} ${order.reason?.message}`);
  }
  for (const fill of order.fills) console.log("filled", fill.size_base, "at", fill.price);
  return order;
}

const opening = await quoted({
  market,
  side: "BUY",
  intent: "open",
  type: "market",
  notional_usd,
  leverage: "5",
  collateral: { symbol: "USDC" },
  slippage_bps: "100",
  venues: [venue],
  chain_ids: [Number(chain)],
});
await carriedOut(await client.order(opening.quote_id, { owner: { address: account.address } }));

// One key for one request, however often it is sent.
function closing(key = randomUUID()) {
  return () => client.flatten(market, venue, key);
}
const { orders, skipped } = await found(closing, (row) => row.orders.length > 0);
if (orders.length === 0) throw new Error(`not closed: ${skipped.map((row) => row.code).join(", ")}`);
for (const order of orders) await carriedOut(order);
console.log("closed");
