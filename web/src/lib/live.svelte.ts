/**
 * What the page shows, as reactive values. Envelopes change only the store; the values here are set at
 * most once per animation frame, all of one envelope in the same frame.
 */

import { flushSync } from 'svelte';
import { ServerClock } from './clock';
import { decimals, direction, shownAndRest } from './format';
import { GIVE_UP_MS, Link, type LinkState } from './link';
import { TapeSocket, type Rate } from './socket';
import type { Call } from './trade/account';
import { TapeStore, type BoardEntry, type PriceEntry, type RoomEntry } from './store';
import {
  asHeartbeat,
  type FundingRow,
  type MarketInfo,
  type RoomError,
  type Trade,
  type VenueState,
} from './wire';
import { checkBuild } from './build';

const CHECK_MS = 250;
const HIDDEN_FRAME_MS = 500;
const MAX_PLACES = 10;
/** Rows out of sight: so many at a time, some 300 a second. */
const FAR_MS = 50;
const FAR_ROWS = 16;

export interface RowView {
  entry: BoardEntry | null;
  bidMove: -1 | 0 | 1;
  askMove: -1 | 0 | 1;
  /** Rises with every move, so that the same move twice flashes twice. */
  bidTick: number;
  askTick: number;
}

const EMPTY_ROW: RowView = { entry: null, bidMove: 0, askMove: 0, bidTick: 0, askTick: 0 };

export class RowCell {
  view = $state.raw<RowView>(EMPTY_ROW);
  /** On the screen or close to it; the others are drawn later, a few at a time, without a flash. */
  near = true;
  /** Most decimals a price of this market was seen with: keeps its digits from jumping. */
  places = 0;
}

/** A room that somebody on the page follows. */
export class RoomCell {
  entry = $state.raw<RoomEntry | null>(null);
  /** Confirmed on this connection. */
  ready = $state(false);
}

/** What uses the same connection for the account of who is signed in. */
export interface Guest {
  connected(call: Call): void;
  disconnected(): void;
  take(raw: unknown): void;
  unauthenticated(): void;
}

function monotonicUs(): number {
  return (performance.timeOrigin + performance.now()) * 1_000;
}

class Live {
  link = $state.raw<LinkState>('connecting');
  /** The room of the board is confirmed on this connection. */
  boardReady = $state(false);
  venuesReady = $state(false);
  /** Server time, moved twice a second; null before the first heartbeat. */
  nowUs = $state.raw<number | null>(null);
  /** Rises once a second: when live columns may sort again. */
  sortBeat = $state(0);
  markets = $state.raw<readonly string[]>([]);
  info = $state.raw<ReadonlyMap<string, MarketInfo>>(new Map());
  venues = $state.raw<Readonly<Record<string, VenueState>>>({});
  /** Venues in a fixed order, so that the strip does not jump. */
  boardSeq = $state.raw<number | null>(null);
  market = $state.raw<string | null>(null);
  price = $state.raw<PriceEntry | null>(null);
  priceMove = $state.raw<RowView>(EMPTY_ROW);
  priceReady = $state(false);
  trades = $state.raw<readonly Trade[] | null>(null);
  tradesReady = $state(false);
  funding = $state.raw<ReadonlyMap<string, FundingRow>>(new Map());
  fundingReady = $state(false);
  errors = $state.raw<ReadonlyMap<string, RoomError>>(new Map());
  marketsError = $state(false);
  newBuild = $state(false);

  readonly store = new TapeStore();
  #cells = new Map<string, RowCell>();
  /** What `errors` shows: a component that goes reads its state as it was before. */
  #errors = new Map<string, RoomError>();
  #followed = new Map<string, { cell: RoomCell | null; rate: Rate }>();
  #clock = new ServerClock();
  #link = new Link(performance.now());
  #socket: TapeSocket | null = null;
  #frame = 0;
  #frameTimer: number | undefined;
  #halfBeat = 0;
  #deferred = new Set<string>();
  #farMs = performance.now();
  #marketsAttempts = 0;
  #guest: Guest | null = null;

  /** Before `start`. */
  attach(guest: Guest): void {
    this.#guest = guest;
  }

  cell(market: string): RowCell {
    let cell = this.#cells.get(market);
    if (cell === undefined) {
      cell = new RowCell();
      this.#cells.set(market, cell);
    }
    return cell;
  }

  start(): void {
    this.#socket = new TapeSocket({
      connected: (first) => {
        this.#link.connected(performance.now());
        this.#check();
        void this.#loadMarkets();
        const socket = this.#socket;
        if (socket !== null) this.#guest?.connected((event, said) => socket.call(event, said));
        if (!first) void checkBuild().then((changed) => (this.newBuild ||= changed));
      },
      disconnected: () => {
        this.#link.disconnected();
        this.store.disconnect();
        this.#guest?.disconnected();
        this.#check();
        this.#schedule();
      },
      envelope: (raw) => this.#apply(raw),
      heartbeat: (raw) => {
        const beat = asHeartbeat(raw);
        if (beat === null) return;
        this.#clock.sample(beat.ts_us, monotonicUs());
        this.#link.heartbeat(beat, performance.now(), this.store.epoch);
        this.#check();
      },
      account: (raw) => this.#guest?.take(raw),
      unauthenticated: () => this.#guest?.unauthenticated(),
      roomError: (error) => {
        this.#errors.set(error.room, error);
        this.errors = new Map(this.#errors);
      },
      state: (room, raw) => {
        this.#apply(raw);
        this.#clearError(room);
        return this.store.isConfirmed(room);
      },
    });
    this.#socket.join('prices', 20);
    this.#socket.join('venues', 10);
    for (const [room, { rate }] of this.#followed) this.#socket.join(room, rate);
    window.setInterval(() => this.#check(), CHECK_MS);
    window.setInterval(() => this.#tick(), 500);
    window.setInterval(() => this.#drawFar(), FAR_MS);
    document.addEventListener('visibilitychange', () => {
      this.#check();
      this.#schedule();
    });
    window.addEventListener('online', () => {
      if (this.link === 'disconnected') this.#socket?.renew();
    });
  }

  /** Follows one market, or none. */
  show(market: string | null): void {
    if (market === this.market) return;
    const before = this.market;
    if (before !== null) {
      for (const room of [`price:${before}`, `trades:${before}`]) {
        this.#socket?.leave(room);
        this.store.forget(room);
        this.#clearError(room);
      }
    }
    this.market = market;
    this.price = null;
    this.priceMove = EMPTY_ROW;
    this.priceReady = false;
    this.trades = null;
    this.tradesReady = false;
    if (market === null) return;
    this.#socket?.join(`price:${market}`, 'max');
    this.#socket?.join(`trades:${market}`, 'max');
  }

  /** Follows a room of candles or a ladder until `leave`. */
  follow(room: string, rate: Rate): RoomCell {
    const cell = new RoomCell();
    this.#join(room, cell, rate);
    return cell;
  }

  followFunding(): void {
    this.#join('funding', null, 1);
  }

  /** A view may come before the connection is begun. */
  #join(room: string, cell: RoomCell | null, rate: Rate): void {
    this.#followed.set(room, { cell, rate });
    this.#socket?.join(room, rate);
  }

  leave(room: string): void {
    this.#followed.delete(room);
    this.#socket?.leave(room);
    this.store.forget(room);
    this.#clearError(room);
    if (room === 'funding') {
      this.funding = new Map();
      this.fundingReady = false;
    }
  }

  #apply(raw: unknown): void {
    const verdict = this.store.apply(raw);
    if (verdict === 'invalid') return;
    if (verdict === 'gap') this.#socket?.refresh((raw as { room: string }).room);
    this.#schedule();
  }

  #clearError(room: string): void {
    if (this.#errors.delete(room)) this.errors = new Map(this.#errors);
  }

  #schedule(): void {
    if (document.hidden) {
      // No frames while hidden; the title still has to follow the price.
      this.#frameTimer ??= window.setTimeout(() => this.#draw(), HIDDEN_FRAME_MS);
    } else if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => this.#draw());
    }
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    window.clearTimeout(this.#frameTimer);
    this.#frame = 0;
    this.#frameTimer = undefined;
    const { markets, listChanged, rooms } = this.store.takeChanges();
    for (const market of markets) {
      if (this.cell(market).near) this.#drawRow(market, true);
      else this.#deferred.add(market);
    }
    if (document.hidden) this.catchUp();
    if (listChanged) this.#listMarkets();
    if (rooms.has('prices')) {
      this.boardReady = this.store.isConfirmed('prices');
      this.boardSeq = this.store.seqOf('prices');
    }
    if (rooms.has('venues')) {
      this.venuesReady = this.store.isConfirmed('venues');
      this.venues = this.store.venues;
    }
    if (rooms.has('funding')) {
      this.funding = this.store.funding;
      this.fundingReady = this.store.isConfirmed('funding');
    }
    for (const [room, { cell }] of this.#followed) {
      if (cell === null || !rooms.has(room)) continue;
      cell.entry = this.store.rooms.get(room) ?? null;
      cell.ready = this.store.isConfirmed(room);
    }
    if (this.market !== null) this.#drawMarket(this.market, rooms);
    flushSync();
  }

  /** Draws all rows that were put off. */
  catchUp(): void {
    for (const market of this.#deferred) this.#drawRow(market, false);
    this.#deferred.clear();
  }

  #drawFar(): void {
    // A late timer draws more, so that no row waits for longer than a second or so.
    const now = performance.now();
    let left = Math.ceil((FAR_ROWS * (now - this.#farMs)) / FAR_MS);
    this.#farMs = now;
    for (const market of this.#deferred) {
      if (left-- === 0) break;
      this.#deferred.delete(market);
      this.#drawRow(market, false);
    }
  }

  near(market: string, near: boolean): void {
    this.cell(market).near = near;
    if (near && this.#deferred.delete(market)) this.#drawRow(market, false);
  }

  #drawRow(market: string, flash: boolean): void {
    const cell = this.cell(market);
    const before = cell.view;
    const entry = this.store.board.get(market) ?? null;
    const quote = entry?.quote ?? null;
    const shown = [quote?.bid, quote?.ask].map((price) => shownAndRest(price ?? '')[0]);
    const places = Math.max(...shown.map(decimals));
    cell.places = Math.min(MAX_PLACES, Math.max(cell.places, places));
    cell.view = flash
      ? moved(before, entry, before.entry?.quote ?? null, quote)
      : { ...before, entry, bidMove: 0, askMove: 0 };
  }

  #drawMarket(market: string, rooms: ReadonlySet<string>): void {
    if (rooms.has(`price:${market}`)) {
      const entry = this.store.prices.get(market) ?? null;
      const before = this.price;
      this.price = entry;
      this.priceMove = moved(this.priceMove, null, before?.data ?? null, entry?.data ?? null);
      this.priceReady = this.store.isConfirmed(`price:${market}`);
    }
    if (rooms.has(`trades:${market}`)) {
      this.trades = this.store.trades.get(market) ?? [];
      this.tradesReady = this.store.isConfirmed(`trades:${market}`);
    }
  }

  #listMarkets(): void {
    const all = new Set([...this.info.keys(), ...this.store.board.keys()]);
    this.markets = [...all].sort();
  }

  #check(): void {
    const now = performance.now();
    const silent = this.#link.silentMs(now);
    if (silent !== null && silent > GIVE_UP_MS) this.#socket?.renew();
    this.link = this.#link.state(now);
  }

  #tick(): void {
    this.nowUs = this.#clock.nowUs(monotonicUs());
    this.#halfBeat += 1;
    if (this.#halfBeat % 2 === 0) {
      this.sortBeat += 1;
    }
  }

  async #loadMarkets(): Promise<void> {
    try {
      this.info = new Map((await fetchMarkets()).map((row) => [row.market, row]));
      this.marketsError = false;
      this.#marketsAttempts = 0;
      this.#listMarkets();
    } catch {
      // The board lives without it; prices name their markets themselves.
      this.marketsError = true;
      this.#marketsAttempts += 1;
      const delay = Math.min(30_000, 1_000 * 2 ** this.#marketsAttempts) * (0.5 + Math.random());
      window.setTimeout(() => {
        if (this.marketsError && this.link !== 'disconnected') void this.#loadMarkets();
      }, delay);
    }
  }
}

async function fetchMarkets(): Promise<MarketInfo[]> {
  const rows: MarketInfo[] = [];
  let cursor: string | null = null;
  do {
    const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const answer = await fetch(`/v1/markets?limit=1000${after}`, { cache: 'no-store' });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = (await answer.json()) as { data: MarketInfo[]; next_cursor?: string | null };
    rows.push(...page.data);
    cursor = page.next_cursor ?? null;
  } while (cursor !== null);
  return rows;
}

interface Touch {
  bid: string | null;
  ask: string | null;
}

function moved(
  before: RowView,
  entry: BoardEntry | null,
  last: Touch | null,
  next: Touch | null,
): RowView {
  const bid = direction(last?.bid ?? null, next?.bid ?? null);
  const ask = direction(last?.ask ?? null, next?.ask ?? null);
  return {
    entry,
    bidMove: bid === 0 ? before.bidMove : bid,
    askMove: ask === 0 ? before.askMove : ask,
    bidTick: before.bidTick + (bid === 0 ? 0 : 1),
    askTick: before.askTick + (ask === 0 ? 0 : 1),
  };
}

export const live = new Live();
