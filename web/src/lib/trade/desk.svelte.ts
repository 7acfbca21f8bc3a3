/** One ticket: routes for what the form says, a guarded quote of the chosen one, the order. */

import { toUs } from '../format';
import { live } from '../live.svelte';
import { asProblem, Problem } from './api';
import { orders } from './orders.svelte';
import { session } from './session.svelte';
import type { GuardedQuote, Order, RouteRow, Routes } from './wire';

const TRIES = 10;
const AGAIN_MS = 700;

export type Busy = 'routes' | 'quote' | 'order' | null;

export class Desk {
  routes = $state.raw<Routes | null>(null);
  quote = $state.raw<GuardedQuote | null>(null);
  busy = $state.raw<Busy>(null);
  problem = $state.raw<Problem | null>(null);
  #body: Record<string, unknown> = {};
  #asked = 0;

  /** Seconds the quote may still be placed; null without one or before the clock is known. */
  readonly secondsLeft = $derived.by(() => {
    const end = toUs(this.quote?.expires_at ?? null);
    if (end === null || live.nowUs === null) return null;
    return Math.max(0, (end - live.nowUs) / 1e6);
  });

  /** Forgets what was asked: it is not what the form says any more. */
  clear(): void {
    this.#asked += 1;
    this.routes = null;
    this.quote = null;
    this.problem = null;
    this.busy = null;
  }

  async find(body: Record<string, unknown>): Promise<void> {
    this.clear();
    this.#body = body;
    await this.#do('routes', () => session.routes<Routes>(body), (found) => (this.routes = found));
  }

  async choose(route: Pick<RouteRow, 'route_id'>): Promise<void> {
    this.quote = null;
    const body = { ...this.#body, route_id: route.route_id };
    await this.#do('quote', () => {
      return session.ask<GuardedQuote>('POST', '/v1/guarded-quotes', { body });
    }, (found) => (this.quote = found));
  }

  /** The key is the quote's own: asking again never makes a second order. */
  async place(): Promise<void> {
    const quote = this.quote;
    if (quote === null) return;
    const body = { quote_id: quote.quote_id, owner: { address: session.address } };
    const key = `ticket-${quote.quote_id}`;
    await this.#do('order', () => {
      return session.ask<Order>('POST', '/v1/orders', { body, key });
    }, (order) => {
      orders.placed(order);
      this.clear();
    });
  }

  /** Prices go for a moment, and a server may be busy: that is asked again before it is told. */
  async #patiently<T>(asked: number, ask: () => Promise<T>): Promise<T> {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await ask();
      } catch (error) {
        const again = error instanceof Problem && error.retryable && error.status === 503;
        if (!again || left <= 1 || asked !== this.#asked) throw error;
      }
      await new Promise((resolve) => window.setTimeout(resolve, AGAIN_MS));
    }
  }

  /** What comes after `clear` is not taken any more, but for an order that was made. */
  async #do<T>(busy: Exclude<Busy, null>, ask: () => Promise<T>, take: (found: T) => void) {
    const asked = ++this.#asked;
    this.busy = busy;
    this.problem = null;
    try {
      const found = await this.#patiently(asked, ask);
      if (asked === this.#asked || busy === 'order') take(found);
    } catch (error) {
      if (asked === this.#asked) this.problem = asProblem(error);
    } finally {
      if (asked === this.#asked) this.busy = null;
    }
  }
}
