/**
 * The latest values of every room, and the rule which envelopes may change them.
 *
 * Knows nothing of sockets, time or the page: envelopes go in, `takeChanges` says once per frame what
 * differs. A room is *confirmed* while the present connection has delivered its state; a room that is
 * not confirmed must not be shown as live.
 */

import {
  asEnvelope,
  roomKind,
  roomMarket,
  type BoardQuote,
  type Envelope,
  type FundingRow,
  type PriceData,
  type Trade,
  type VenueState,
} from './wire';

export type Verdict = 'applied' | 'older' | 'invalid' | 'gap';
/** `gap`: applied, but the room must be asked for a whole snapshot. */

export interface BoardEntry {
  quote: BoardQuote;
  seq: number;
  epoch: number;
  /** When the venue frame behind the last change arrived, or when the price was first seen. */
  changedUs: number;
  /** False: the page did not see the change, the price is at least as old as `changedUs`. */
  changeSeen: boolean;
}

export interface PriceEntry {
  data: PriceData;
  seq: number;
  epoch: number;
}

/** The whole state of a room that is shown as it is. */
export interface RoomEntry {
  data: unknown;
  seq: number;
  epoch: number;
}

export interface Changes {
  markets: ReadonlySet<string>;
  listChanged: boolean;
  rooms: ReadonlySet<string>;
}

export const MAX_TRADES = 60;

const NO_QUOTE: BoardQuote = {
  bid: null,
  ask: null,
  bid_venue: null,
  ask_venue: null,
  spread_bps: null,
  crossed: false,
  change_24h: null,
};

export class TapeStore {
  readonly board = new Map<string, BoardEntry>();
  readonly prices = new Map<string, PriceEntry>();
  readonly trades = new Map<string, readonly Trade[]>();
  /** Of candles and ladders, by room. */
  readonly rooms = new Map<string, RoomEntry>();
  funding: ReadonlyMap<string, FundingRow> = new Map();
  venues: Readonly<Record<string, VenueState>> = {};

  #last = new Map<string, { epoch: number; seq: number }>();
  #confirmed = new Set<string>();
  #markets = new Set<string>();
  #rooms = new Set<string>();
  #listChanged = false;

  /** Highest epoch any room was sent with; 0 before the first. */
  epoch = 0;

  isConfirmed(room: string): boolean {
    return this.#confirmed.has(room);
  }

  seqOf(room: string): number | null {
    return this.#last.get(room)?.seq ?? null;
  }

  /** The connection is gone: nothing is confirmed until it is sent again. */
  disconnect(): void {
    for (const room of this.#confirmed) this.#rooms.add(room);
    this.#confirmed.clear();
  }

  /** Forget a room that is no longer wanted. */
  forget(room: string): void {
    this.#confirmed.delete(room);
    this.#last.delete(room);
    const market = roomMarket(room);
    if (roomKind(room) === 'price') this.prices.delete(market);
    if (roomKind(room) === 'trades') this.trades.delete(market);
    if (room === 'funding') this.funding = new Map();
    this.rooms.delete(room);
  }

  apply(raw: unknown): Verdict {
    const envelope = asEnvelope(raw);
    if (envelope === null) return 'invalid';
    const { room, seq, epoch } = envelope;
    const last = this.#last.get(room);
    if (last !== undefined && this.#isOlder(envelope, last)) {
      // Trades have happened: those that are held stay true on the new connection.
      if (roomKind(room) === 'trades' && envelope.type === 'snapshot') this.#confirm(room);
      return 'older';
    }
    const newEpoch = last !== undefined && epoch > last.epoch;
    let gap = false;
    switch (roomKind(room)) {
      case 'prices':
        gap = this.#applyPrices(envelope as Envelope<Record<string, BoardQuote>>, newEpoch);
        break;
      case 'venues': {
        const data = envelope.data as Record<string, VenueState>;
        this.venues = envelope.type === 'snapshot' ? data : { ...this.venues, ...data };
        break;
      }
      case 'price':
        this.prices.set(roomMarket(room), { data: envelope.data as PriceData, seq, epoch });
        break;
      case 'candles':
      case 'ladder':
        this.rooms.set(room, { data: envelope.data, seq, epoch });
        break;
      case 'funding':
        gap = this.#applyFunding(envelope as Envelope<Record<string, FundingRow>>, newEpoch);
        break;
      case 'trades':
        if (!Array.isArray(envelope.data)) return 'invalid';
        this.#applyTrades(envelope as Envelope<Trade[]>);
        break;
      default:
        return 'invalid';
    }
    this.#last.set(room, { epoch, seq });
    this.#rooms.add(room);
    if (epoch > this.epoch) this.epoch = epoch;
    // An update of the board or of funding says nothing of the rows it leaves out: what changed while
    // there was no connection is known only from a snapshot. The other rooms always send everything.
    const partial = room === 'prices' || room === 'funding';
    if (!partial || envelope.type === 'snapshot') this.#confirm(room);
    return gap ? 'gap' : 'applied';
  }

  /** What changed since the last call. The sets are the caller's to keep. */
  takeChanges(): Changes {
    const changes = { markets: this.#markets, listChanged: this.#listChanged, rooms: this.#rooms };
    this.#markets = new Set();
    this.#rooms = new Set();
    this.#listChanged = false;
    return changes;
  }

  #confirm(room: string): void {
    this.#confirmed.add(room);
    this.#rooms.add(room);
  }

  /** An equal seq is not older: a status envelope repeats the seq of the state it takes back. */
  #isOlder(envelope: Envelope, last: { epoch: number; seq: number }): boolean {
    if (envelope.epoch !== last.epoch) return envelope.epoch < last.epoch;
    // 0 is no seq of a feed: a server that has just started says what it knows, if anything.
    const fromScratch = envelope.type === 'snapshot' && envelope.seq === 0;
    if (fromScratch && !this.#confirmed.has(envelope.room)) return false;
    return envelope.seq < last.seq;
  }

  #applyPrices(envelope: Envelope<Record<string, BoardQuote>>, newEpoch: boolean): boolean {
    const { data, seq, epoch } = envelope;
    const snapshot = envelope.type === 'snapshot';
    // A new feed has said nothing yet about the markets its first update leaves out.
    const unconfirmed = newEpoch && !snapshot;
    if (snapshot || unconfirmed) {
      for (const [market, entry] of this.board) {
        if (Object.hasOwn(data, market)) continue;
        this.#markets.add(market);
        if (snapshot) {
          this.board.delete(market);
          this.#listChanged = true;
        } else {
          const quote = { ...NO_QUOTE, change_24h: entry.quote.change_24h };
          const changedUs = envelope.published_us;
          this.board.set(market, { quote, seq, epoch, changedUs, changeSeen: false });
        }
      }
    }
    for (const [market, quote] of Object.entries(data)) {
      const known = this.board.get(market);
      if (known === undefined) this.#listChanged = true;
      this.board.set(market, { quote, seq, epoch, ...changeOf(envelope, known, quote) });
      this.#markets.add(market);
    }
    return unconfirmed;
  }

  #applyFunding(envelope: Envelope<Record<string, FundingRow>>, newEpoch: boolean): boolean {
    const whole = envelope.type === 'snapshot';
    const funding = new Map(whole || newEpoch ? [] : this.funding);
    for (const [market, row] of Object.entries(envelope.data)) {
      if (Object.keys(row).length === 0) funding.delete(market);
      else funding.set(market, row);
    }
    this.funding = funding;
    return newEpoch && !whole;
  }

  #applyTrades(envelope: Envelope<Trade[]>): void {
    const market = roomMarket(envelope.room);
    const known = envelope.type === 'snapshot' ? [] : (this.trades.get(market) ?? []);
    const merged = new Map<string, Trade>();
    // Sent oldest first; many share one time, so that their order must survive the sorting.
    for (const trade of [...[...envelope.data].reverse(), ...known]) {
      const key = `${trade.venue} ${trade.id}`;
      if (!merged.has(key)) merged.set(key, trade);
    }
    const newestFirst = [...merged.values()].sort((a, b) => b.time_us - a.time_us);
    this.trades.set(market, newestFirst.slice(0, MAX_TRADES));
  }
}

/** A snapshot does not say when a price changed: it is known only for one that was held before. */
function changeOf(
  envelope: Envelope,
  known: BoardEntry | undefined,
  quote: BoardQuote,
): { changedUs: number; changeSeen: boolean } {
  if (known !== undefined && known.quote.bid === quote.bid && known.quote.ask === quote.ask) {
    return { changedUs: known.changedUs, changeSeen: known.changeSeen };
  }
  return envelope.type === 'update'
    ? { changedUs: envelope.received_us, changeSeen: true }
    : { changedUs: envelope.published_us, changeSeen: false };
}
