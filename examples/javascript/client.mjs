// A small client of perptape: sign in, read quotes, follow rooms. Prices are strings: parse them with
// a decimal library, never as numbers.
import { io } from "socket.io-client";
import { privateKeyToAccount } from "viem/accounts";

export class Problem extends Error {
  constructor({ status, code, detail, retryable }) {
    super(`${code}: ${detail}`);
    Object.assign(this, { status, code, retryable });
  }
}

export class Client {
  #url;
  #grant = null;

  constructor(url) {
    this.#url = url.replace(/\/$/, "");
  }

  // Sign-In with Ethereum; the key stays here.
  async login(privateKey, chainId = 42161) {
    const wallet = privateKeyToAccount(privateKey);
    const asked = { address: wallet.address, chain_id: chainId };
    const { message } = await this.#ask("POST", "/v1/auth/nonce", asked);
    const signature = await wallet.signMessage({ message });
    this.#grant = await this.#ask("POST", "/v1/auth/login", { message, signature });
    return { accountId: this.#grant.account_id, address: this.#grant.address };
  }

  session() {
    return this.#ask("GET", "/v1/auth/session");
  }

  // Throws Problem QUOTE_STALE where there is none now.
  quote(market) {
    return this.#ask("GET", `/v1/quotes/${market}`);
  }

  // Where an order is best traded; see docs/protocol.md for what may be asked.
  routes(wanted) {
    return this.#ask("POST", "/v1/routes", wanted);
  }

  // One of the routes with its price guard, for ten seconds.
  guardedQuote(wanted, routeId) {
    return this.#ask("POST", "/v1/guarded-quotes", { ...wanted, route_id: routeId });
  }

  // The quote's id is the key: sent again after no answer it is still one order.
  order(quoteId, more = {}) {
    const body = { quote_id: quoteId, ...more };
    return this.#ask("POST", "/v1/orders", body, `order-${quoteId}`);
  }

  // With `version`: as soon as the order has it, after 20 s at the latest.
  orderNow(id, version) {
    const query = version === undefined ? "" : `?wait_version=${version}`;
    return this.#ask("GET", `/v1/orders/${id}${query}`);
  }

  // `signed`: { raw_transaction } or { tx_hash } of what a wallet has sent itself.
  submit(id, step, signed) {
    const body = { step_id: step.id, step_version: step.version, ...signed };
    return this.#ask("POST", `/v1/orders/${id}/submission`, body);
  }

  // Closes what the account holds of a market at a venue: { orders, skipped }.
  flatten(market, venue, key) {
    return this.#ask("POST", "/v1/orders/flatten", { market, venue, slippage_bps: "100" }, key);
  }

  // Calls `take` with what stands in the rooms and then with every change, again with what stands
  // after a lost connection. Returns what ends it.
  stream(rooms, take, rate = "max") {
    const auth = this.#grant ? { token: this.#grant.access_token } : {};
    const socket = io(this.#url, { transports: ["websocket"], auth });
    socket.on("connect", async () => {
      const answer = await socket.emitWithAck("subscribe", { rooms, rate });
      Object.values(answer.rooms).forEach(take);
      for (const { room, code } of answer.errors ?? []) take({ room, error: code, data: null });
    });
    socket.onAny((event, envelope) => event !== "heartbeat" && take(envelope));
    return () => socket.disconnect();
  }

  async #ask(method, path, body, key) {
    let answer = await this.#send(method, path, body, key);
    if (answer.status === 401 && this.#grant) {
      // The access token lives for ten minutes, the other one for a day.
      const token = { refresh_token: this.#grant.refresh_token };
      this.#grant = await this.#read(await this.#send("POST", "/v1/auth/refresh", token));
      answer = await this.#send(method, path, body, key);
    }
    return this.#read(answer);
  }

  #send(method, path, body, key) {
    const headers = {};
    if (key) headers["Idempotency-Key"] = key;
    if (body) headers["Content-Type"] = "application/json";
    if (this.#grant) headers.Authorization = `Bearer ${this.#grant.access_token}`;
    const signal = AbortSignal.timeout(30_000);
    return fetch(this.#url + path, { method, headers, body: body && JSON.stringify(body), signal });
  }

  async #read(answer) {
    const said = await answer.json();
    if (!answer.ok) throw new Problem(said);
    return said.data;
  }
}
