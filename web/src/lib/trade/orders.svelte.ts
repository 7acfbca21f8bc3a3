/**
 * The orders of the account: read once, then as the private room tells of them, and while that is
 * not joined by waiting requests. What a wallet has sent is written down until the server has it.
 */

import { SvelteMap } from 'svelte/reactivity';
import { live } from '../live.svelte';
import { AccountRoom } from './account';
import { asProblem, Problem, WAIT_MS } from './api';
import { session } from './session.svelte';
import { nextStep } from './ticket';
import { send, switchChain } from './wallet';
import type { Order, OrderStep } from './wire';

const SHOWN = 30;
const SENT = 'perptape.sent';
const RETRY_MS = 2_000;
/** Requests that wait share the few connections a browser has to one host. */
const WAITED = 2;
/** Steps change without an event; they are looked at while one of them is under way. */
const LOOK_MS = 1_500;

const CLOSE_SLIPPAGE_BPS = '100';

interface Closing {
  orders: Order[];
  skipped: { code: string; message: string }[];
}

/** A transaction the wallet has sent, and the step it is of. */
interface Sent {
  order_id: string;
  step_id: string;
  step_version: number;
  tx_hash: string;
}

function readSent(): Sent[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(SENT) ?? '[]');
    return Array.isArray(list) ? (list as Sent[]) : [];
  } catch {
    return [];
  }
}

class Orders {
  /** Newest first. */
  list = $state.raw<readonly Order[]>([]);
  loaded = $state(false);
  /** Changes are told as they happen. */
  joined = $state(false);
  /** Why the list may be old; null while it is not. */
  problem = $state.raw<Problem | null>(null);
  /** What went wrong last, by order. */
  problems = new SvelteMap<string, Problem>();
  /** What the wallet is asked for: `order step version`. */
  asking = $state.raw<string | null>(null);
  sent = $state.raw<readonly Sent[]>(readSent());

  #reading = new Map<string, number>();
  #waiting = new Set<string>();
  /** Placed in this visit: their steps go to the wallet without being asked for. */
  #guided = new Set<string>();
  #room = new AccountRoom({
    event: (data) => this.#hear(data),
    reread: () => void this.reload(),
    joined: (isJoined) => {
      this.joined = isJoined;
      if (!isJoined) this.#waitForSome();
    },
    refused: () => void session.renew(),
  });

  start(): void {
    live.attach({
      connected: (call) => {
        session.reconnected();
        this.#room.connected(call);
        void this.#deliver();
      },
      disconnected: () => this.#room.disconnected(),
      take: (raw) => this.#room.take(raw),
      unauthenticated: () => this.#room.unauthenticated(),
    });
    session.start((token) => {
      this.#room.setToken(token);
      if (token === null) this.#forget();
      else if (!this.loaded) void this.reload();
    });
    window.setInterval(() => this.#look(), LOOK_MS);
  }

  async reload(): Promise<void> {
    try {
      const rows = await session.ask<Order[]>('GET', `/v1/orders?limit=${SHOWN}`);
      const known = new Map(this.list.map((order) => [order.id, order]));
      this.list = rows.map((row) => newer(row, known.get(row.id)));
      this.loaded = true;
      this.problem = null;
    } catch (error) {
      this.problem = asProblem(error);
    }
    this.#waitForSome();
    void this.#deliver();
  }

  /** One that was just placed; its steps go to the wallet as they become ready. */
  placed(order: Order): void {
    this.#guided.add(order.id);
    this.#put(order);
  }

  async cancel(order: Order): Promise<void> {
    this.problems.delete(order.id);
    try {
      const key = `cancel-${order.id}`;
      this.#put(await session.ask<Order>('DELETE', `/v1/orders/${order.id}`, { key }));
      this.#guided.add(order.id);
    } catch (error) {
      this.problems.set(order.id, asProblem(error));
    }
  }

  /** Closes all that is held where this order was filled. */
  async close(order: Order): Promise<void> {
    this.problems.delete(order.id);
    const body = { market: order.market, venue: order.venue, slippage_bps: CLOSE_SLIPPAGE_BPS };
    // One that has been asked for and lives is not made again, whatever the key.
    const key = `close-${order.id}-${Date.now()}`;
    try {
      const asked = { body, key };
      const found = await session.ask<Closing>('POST', '/v1/orders/flatten', asked);
      for (const closing of found.orders) this.placed(closing);
      const [none] = found.skipped;
      if (none !== undefined) {
        const title = 'Not closed';
        this.problems.set(order.id, new Problem(0, none.code, title, none.message));
      }
    } catch (error) {
      this.problems.set(order.id, asProblem(error));
    }
  }

  /** Asks the wallet for a step and gives its hash to the server. */
  async sign(order: Order, step: OrderStep): Promise<void> {
    const wallet = session.wallet;
    const tx = step.tx;
    if (tx == null || this.asking !== null || this.isSent(order, step)) return;
    this.problems.delete(order.id);
    try {
      if (wallet === null || !session.canSign) {
        const detail = `The order is of ${session.address ?? 'nobody'}: choose that account in the wallet.`;
        throw new Problem(0, 'WRONG_ACCOUNT', 'The wallet shows another account', detail);
      }
      this.asking = stepKey(order.id, step.id, step.version);
      await switchChain(wallet, Number(tx.chain_id));
      const hash = await send(wallet, tx);
      this.#note({
        order_id: order.id,
        step_id: step.id,
        step_version: step.version,
        tx_hash: hash,
      });
    } catch (error) {
      this.#guided.delete(order.id);
      this.problems.set(order.id, asProblem(error));
      return;
    } finally {
      this.asking = null;
    }
    await this.#deliver();
  }

  isSent(order: Order, step: OrderStep): boolean {
    const key = stepKey(order.id, step.id, step.version);
    return this.sent.some((item) => stepKey(item.order_id, item.step_id, item.step_version) === key);
  }

  // Hashes -----------------------------------------------------------------------------------------

  #note(item: Sent): void {
    this.#keepSent([...this.sent, item]);
  }

  #keepSent(items: readonly Sent[]): void {
    this.sent = items;
    try {
      localStorage.setItem(SENT, JSON.stringify(items));
    } catch {
      // Storage is refused: they last as long as the page.
    }
  }

  #delivering = false;

  /** Until the server has taken or refused every one. */
  async #deliver(): Promise<void> {
    if (this.#delivering || !session.isIn) return;
    this.#delivering = true;
    try {
      for (let item = this.sent[0]; item !== undefined; item = this.sent[0]) {
        if (!(await this.#submit(item))) return;
        this.#keepSent(this.sent.filter((other) => other !== item));
      }
    } finally {
      this.#delivering = false;
    }
  }

  /** Whether the server has answered for good. */
  async #submit({ order_id, ...body }: Sent): Promise<boolean> {
    try {
      this.#put(await session.ask<Order>('POST', `/v1/orders/${order_id}/submission`, { body }));
      return true;
    } catch (error) {
      const problem = asProblem(error);
      this.problems.set(order_id, problem);
      const later = problem.retryable || problem.status === 0 || problem.status === 401;
      if (later) window.setTimeout(() => void this.#deliver(), RETRY_MS);
      else void this.#read(order_id, 0);
      return !later;
    }
  }

  // Changes ----------------------------------------------------------------------------------------

  #hear(data: Record<string, unknown>): void {
    const { order_id: id, version } = data;
    if (typeof id === 'string' && typeof version === 'number') void this.#read(id, version);
  }

  /** Reads an order until it has that version; one request at a time for each. */
  async #read(id: string, version: number): Promise<void> {
    const wanted = this.#reading.get(id);
    this.#reading.set(id, Math.max(version, wanted ?? 0));
    if (wanted !== undefined) return;
    try {
      for (let known = -1; known < (this.#reading.get(id) ?? 0); ) {
        const order = await session.ask<Order>('GET', `/v1/orders/${id}`);
        this.#put(order);
        known = Math.max(order.version, known + 1);
      }
    } catch (error) {
      this.problem = asProblem(error);
    } finally {
      this.#reading.delete(id);
    }
  }

  /** Without the room: requests that wait for the next version. */
  #waitForSome(): void {
    if (this.joined || !session.isIn) return;
    for (const order of this.list.filter(({ terminal }) => !terminal).slice(0, WAITED)) {
      void this.#wait(order.id);
    }
  }

  async #wait(id: string): Promise<void> {
    if (this.#waiting.has(id)) return;
    this.#waiting.add(id);
    try {
      for (;;) {
        const order = this.list.find((item) => item.id === id);
        if (order === undefined || order.terminal || this.joined || !session.isIn) return;
        const path = `/v1/orders/${id}?wait_version=${order.version + 1}`;
        try {
          this.#put(await session.ask<Order>('GET', path, { timeoutMs: WAIT_MS }));
          this.problem = null;
        } catch (error) {
          this.problem = asProblem(error);
          await new Promise((resolve) => window.setTimeout(resolve, RETRY_MS));
        }
      }
    } finally {
      this.#waiting.delete(id);
    }
  }

  #look(): void {
    if (document.hidden || !session.isIn) return;
    for (const order of this.list) {
      const underWay = order.steps.some(({ status }) => status === 'submitted');
      if (!order.terminal && (underWay || order.state === 'accepted')) void this.#read(order.id, 0);
    }
  }

  #put(order: Order): void {
    const at = this.list.findIndex(({ id }) => id === order.id);
    const known = this.list[at];
    if (known === undefined) this.list = [order, ...this.list];
    else this.list = this.list.map((item) => (item.id === order.id ? newer(order, item) : item));
    this.#guide(order);
    this.#waitForSome();
  }

  #guide(order: Order): void {
    const step = nextStep(order);
    if (step === null || !this.#guided.has(order.id)) return;
    if (this.asking === null && !this.problems.has(order.id)) void this.sign(order, step);
  }

  #forget(): void {
    this.list = [];
    this.loaded = false;
    this.problem = null;
    this.problems.clear();
    this.#guided.clear();
  }
}

function stepKey(order: string, step: string, version: number): string {
  return `${order} ${step} ${version}`;
}

/** Two requests may be answered in the other order. */
function newer(order: Order, known: Order | undefined): Order {
  return known !== undefined && known.version > order.version ? known : order;
}

export const orders = new Orders();
