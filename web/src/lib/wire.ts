/** What the gateway sends. Prices are decimal strings and stay strings. */

export type RoomKind =
  'price' | 'prices' | 'venues' | 'trades' | 'candles' | 'ladder' | 'funding';

export interface Envelope<D = unknown> {
  type: 'snapshot' | 'update';
  room: string;
  seq: number;
  epoch: number;
  cause: string;
  received_us: number;
  published_us: number;
  data: D;
}

export interface BoardQuote {
  bid: string | null;
  ask: string | null;
  bid_venue: string | null;
  ask_venue: string | null;
  spread_bps: number | string | null;
  crossed: boolean;
  change_24h: number | string | null;
}

export interface PoolQuote {
  pool: string;
  bid: string | null;
  ask: string | null;
  bid_size: string | null;
  ask_size: string | null;
}

export interface VenueQuote {
  bid: string | null;
  ask: string | null;
  kind: string | null;
  pool: string | null;
  price_us: number | null;
  state: string;
  /** Of oracle venues. */
  pools?: PoolQuote[];
}

export interface Exclusion {
  venue: string;
  reason: string;
}

export interface PriceData {
  bid: string | null;
  bid_venue: string | null;
  bid_size: string | null;
  ask: string | null;
  ask_venue: string | null;
  ask_size: string | null;
  mid: string | null;
  spread_bps: number | string | null;
  crossed: boolean;
  quality: { venues: number; excluded: Exclusion[]; disagree?: boolean };
  venues: Record<string, VenueQuote>;
}

export interface VenueState {
  state: string;
  reason: string | null;
  since: string | number | null;
  markets: number | null;
  last_frame_us: number | null;
}

export interface Trade {
  venue: string;
  id: string;
  price: string;
  size: string;
  side: string;
  time_us: number;
}

/** `t` and the prices are null while nothing is known; `ticks` 0: told by the venue itself. */
export interface Candle {
  t: string | null;
  open: string | null;
  high: string | null;
  low: string | null;
  close: string | null;
  ticks: number;
  closed: boolean;
}

/** What the sizes cost at one pool; arrays stand beside `sizes`. */
export interface LadderRow {
  venue: string;
  pool: string | null;
  all_in: (string | null)[];
  fee_bps: (number | null)[];
  spread_bps: (number | null)[];
  impact_bps: (number | null)[];
  all_in_bps: (number | null)[];
  gas_usd: string | null;
  execution_fee_usd: string | null;
  best: boolean[];
  reason: (string | null)[];
}

export interface SplitLeg {
  venue: string;
  pool: string | null;
  share_bps: number;
}

export interface Legs {
  legs: SplitLeg[];
  all_in_bps: number | null;
  saved_bps: number | null;
}

/** `two_legs`: the best two where three are better. */
export interface Split extends Legs {
  two_legs: Legs | null;
}

export interface LadderData {
  sizes: string[];
  buy: LadderRow[];
  sell: LadderRow[];
  splits: { buy: (Split | null)[]; sell: (Split | null)[] };
  excluded: { venue: string; reason: string | null }[];
}

/** Rates are fractions; positive funding is paid by longs. */
export interface FundingRates {
  per_hour: string;
  per_8h: string;
  apr: string;
  interval_hours: number;
  next_at: string | null;
  oi_long_usd: string | null;
  oi_short_usd: string | null;
  pool: string | null;
  short_per_hour: string | null;
  borrow_long_per_hour: string | null;
  borrow_short_per_hour: string | null;
  available_long_usd: string | null;
  available_short_usd: string | null;
}

/** Of its largest pool, with all pools; a book has none. */
export interface VenueFunding extends FundingRates {
  pools: FundingRates[];
}

/** By venue. */
export type FundingRow = Readonly<Record<string, VenueFunding>>;

export interface Heartbeat {
  ts_us: number;
  feed_us: number | null;
  epoch: number | null;
}

export interface VenueFacts {
  pools: string[];
}

export interface MarketInfo {
  market: string;
  base: string;
  quote: string;
  open: boolean;
  venues: Record<string, VenueFacts>;
}

export interface RoomError {
  room: string;
  code: string;
  message: string;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The envelope, or null for anything that is not one. */
export function asEnvelope(value: unknown): Envelope | null {
  if (!isRecord(value)) return null;
  const { type, room, seq, epoch, data } = value;
  if (type !== 'snapshot' && type !== 'update') return null;
  if (typeof room !== 'string' || !Number.isSafeInteger(seq) || !Number.isSafeInteger(epoch)) {
    return null;
  }
  if (typeof data !== 'object' || data === null) return null;
  return value as unknown as Envelope;
}

export function asHeartbeat(value: unknown): Heartbeat | null {
  if (!isRecord(value) || typeof value['ts_us'] !== 'number') return null;
  const { ts_us, feed_us, epoch } = value;
  return {
    ts_us,
    feed_us: typeof feed_us === 'number' && feed_us > 0 ? feed_us : null,
    epoch: typeof epoch === 'number' ? epoch : null,
  };
}

export function roomKind(room: string): string {
  const colon = room.indexOf(':');
  return colon < 0 ? room : room.slice(0, colon);
}

export function roomMarket(room: string): string {
  const colon = room.indexOf(':');
  return colon < 0 ? '' : room.slice(colon + 1);
}
