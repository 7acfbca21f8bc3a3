/** States and reasons in plain words. What is not known here is shown as the server sent it. */

import type { LinkState } from './link';
import { numeric } from './format';
import type { BoardQuote, Exclusion, VenueState } from './wire';

const VENUE_NAMES: Readonly<Record<string, string>> = { dydx: 'dYdX', gmx: 'GMX', gains: 'Gains' };
const HOUSE_ORDER: readonly string[] = Object.keys(VENUE_NAMES);

export function venueName(venue: string): string {
  return VENUE_NAMES[venue] ?? venue;
}

/** The order of the house, whatever it does not know behind by name. */
export function byVenue([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  const rank = (venue: string): number => (HOUSE_ORDER.indexOf(venue) + 99) % 99;
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** `dYdX`, `dYdX and GMX`, `dYdX, GMX and Gains`. */
export function venueNames(venues: readonly string[]): string {
  const names = venues.map(venueName);
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}

const STATE_WORDS: Readonly<Record<string, string>> = {
  connecting: 'connecting',
  live: 'live',
  resyncing: 'resyncing',
  stale: 'stale',
  quarantined: 'quarantined',
  closed: 'closed',
  halted: 'halted',
};

export function stateWord(state: string): string {
  return STATE_WORDS[state] ?? state;
}

export type Tone = 'good' | 'wait' | 'bad' | 'off';

/** The colour of a state; never the only sign of it. */
export function stateTone(state: string): Tone {
  if (state === 'live') return 'good';
  if (state === 'connecting' || state === 'resyncing') return 'wait';
  if (state === 'closed') return 'off';
  return 'bad';
}

const STATE_WORDS_LONG: Readonly<Record<string, string>> = {
  connecting: 'no connection',
  resyncing: 'its books are being loaded again',
  stale: 'no proof that its prices are current',
  quarantined: 'its price disagrees with the others',
  closed: 'the market is closed there',
  halted: 'the venue has halted trading',
};

const REASON_WORDS: Readonly<Record<string, string>> = {
  // Of connections.
  CONNECTING: 'no connection',
  CONNECTION_LOST: 'the connection was lost',
  NO_GREETING: 'the venue does not answer as it should',
  UNREACHABLE: 'the venue cannot be reached',
  TIMEOUT: 'the venue does not answer',
  CLOSED_BY_VENUE: 'the venue closed the connection',
  PROTOCOL: 'the venue broke the rules of the connection',
  RATE_LIMITED: 'the venue limits how often we may ask',
  BODY_TOO_LARGE: 'its answer is too large to be right',
  SILENT: 'the venue sends nothing',
  NO_HEIGHT: 'the venue shows no new block',
  TIME_WENT_BACK: 'its clock was set back',
  CRASHED: 'reading it failed here; it is started again',
  STALE: 'no proof that its prices are current',
  // Of order books.
  STALL: 'the connection stood still',
  GAP: 'messages are missing',
  OUT_OF_ORDER: 'its messages came in the wrong order',
  GARBAGE: 'its messages cannot be read',
  RESYNCING: 'its books are being loaded again',
  NO_SNAPSHOT: 'waiting for its order book',
  BOOK_TOO_DEEP: 'its order book is too long to be right',
  SCALE_CHANGED: 'its price steps have changed',
  CROSSED: 'its own bid and ask cross',
  // Of prices.
  OUTLIER: 'its price is too far from the others or from its own oracle',
  TICKER_STALE: 'its oracle price is too old',
  NO_TICKER: 'its oracle shows no price',
  NO_PRICE: 'it has not said a price yet',
  BAD_PRICE: 'its price makes no sense',
  PRINT_OLD: 'its oracle price has not moved for too long',
  FEED_SILENT: 'the price feed has stopped',
  // Said by the venue.
  NOT_LISTED: 'it does not list this market now',
  CLOSED: 'the market is closed there',
  HOURS: 'the market is closed at this hour',
  HALTED: 'the venue has halted trading',
  PAUSED: 'the venue has paused the market',
  DISABLED: 'the venue has switched its pools off',
  NO_POOL: 'none of its pools can be traded with now',
  CLOSE_ONLY: 'positions can only be closed there',
  CANCEL_ONLY: 'orders can only be cancelled there',
  POST_ONLY: 'orders can only be posted there, not matched',
  INITIALIZING: 'the market is being set up there',
  FINAL_SETTLEMENT: 'the market is being settled for good',
};

const REFUSED = /^HTTP_(\d+)$/;

function codeWords(code: string): string {
  const refused = REFUSED.exec(code);
  if (refused !== null) return `the venue refuses to answer (${refused[1]})`;
  return REASON_WORDS[code] ?? code.toLowerCase().replaceAll('_', ' ');
}

const CODE = /^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)(?:: (.+))?$/;
const SHORT = 60;

/**
 * A reason as words: `CODE`, `CODE: details`, several of them with `; `, or prose. Known codes are
 * explained, unknown ones spelled out; details that are short and no address are added.
 */
export function reasonWords(reason: string | null | undefined): string {
  if (reason === null || reason === undefined) return '';
  return reason
    .split('; ')
    .map((part) => {
      const match = CODE.exec(part);
      const code = match?.[1];
      if (match === null || code === undefined) return part;
      const words = codeWords(code);
      const details = match[2] ?? '';
      const tell =
        details !== '' &&
        details !== words &&
        details.length <= SHORT &&
        !details.includes('://');
      return tell ? `${words}: ${details}` : words;
    })
    .join('; ');
}

/** Where there is one line for it. */
const SHORT_WORDS: Readonly<Record<string, string>> = {
  OUTLIER: 'price too far from the others',
};

const COUNTED = /^([A-Z][A-Z0-9_]*): (\d+) of (\d+) markets$/;

/** Why a venue is not live, or how many of its markets are left out and why. */
export function venueReason(venue: VenueState): string {
  if (venue.state !== 'live') {
    return reasonWords(venue.reason) || (STATE_WORDS_LONG[venue.state] ?? '');
  }
  return (venue.reason ?? '')
    .split('; ')
    .map((part) => {
      const [, code, count, all] = COUNTED.exec(part) ?? [];
      if (code === undefined) return reasonWords(part);
      return `${count} of ${all} markets left out: ${SHORT_WORDS[code] ?? codeWords(code)}`;
    })
    .join('; ');
}

/** Why a venue has no part in a price. `state`: of the venue as a whole, which knows more. */
export function exclusionWords(reason: string, venue: VenueState | undefined): string {
  const whole = venue?.state === 'connecting' ? reasonWords(venue.reason) : '';
  return reason === 'CONNECTING' && whole !== '' ? whole : reasonWords(reason);
}

/** All of them in a line; venues with the same reason share it. */
export function exclusions(
  excluded: readonly Exclusion[],
  venues: Readonly<Record<string, VenueState>>,
): string {
  const byWords = new Map<string, string[]>();
  for (const { venue, reason } of excluded) {
    const words = exclusionWords(reason, venues[venue]);
    byWords.set(words, [...(byWords.get(words) ?? []), venue]);
  }
  return [...byWords].map(([words, names]) => `${venueNames(names)}: ${words}`).join('; ');
}

export interface LinkWords {
  title: string;
  detail: string;
}

/** The banner of a link that is not live. Holds no running figures: it is read aloud once. */
export function linkWords(state: LinkState): LinkWords | null {
  switch (state) {
    case 'live':
    case 'connecting':
      return null;
    case 'disconnected':
      return {
        title: 'Disconnected – prices are not live',
        detail: 'No connection to the server. Trying again by itself.',
      };
    case 'silent':
      return {
        title: 'Feed silent – prices are not live',
        detail: 'The connection is open, but the server has stopped answering.',
      };
    case 'feed_stopped':
      return {
        title: 'Feed silent – prices are not live',
        detail: 'The server is there, but its price feed has stopped.',
      };
    case 'old_feed':
      return {
        title: 'Feed silent – prices are not live',
        detail: 'The server still follows a price feed that has been replaced.',
      };
  }
}

export type Health = 'live' | 'crossed' | 'one_sided' | 'no_price' | 'closed' | 'offline';

export interface HealthView {
  health: Health;
  word: string;
  /** Short, for a row of the board. */
  reason: string;
}

/**
 * What a market may claim. `live`: whether the link and the room are; `venues`: those that list it,
 * with their state.
 */
export function marketHealth(
  quote: Pick<BoardQuote, 'bid' | 'ask' | 'crossed' | 'spread_bps'> | null,
  live: boolean,
  open: boolean,
  venues: readonly (readonly [string, VenueState | undefined])[],
): HealthView {
  if (!live) return { health: 'offline', word: 'not live', reason: '' };
  if (quote === null || (quote.bid === null && quote.ask === null)) {
    if (!open) return { health: 'closed', word: 'closed', reason: 'not traded now' };
    return { health: 'no_price', word: 'no live price', reason: venuesNotLive(venues) };
  }
  if (quote.bid === null) return { health: 'one_sided', word: 'no bid', reason: 'nobody buys' };
  if (quote.ask === null) return { health: 'one_sided', word: 'no ask', reason: 'nobody sells' };
  if (quote.crossed) return { health: 'crossed', word: 'crossed', reason: crossedReason(quote) };
  return { health: 'live', word: 'live', reason: '' };
}

export const FAR_APART = 'bid far above ask: a venue must be wrong';
const FAR_APART_BPS = 50;

function crossedReason(quote: Pick<BoardQuote, 'spread_bps'>): string {
  const spread = numeric(quote.spread_bps);
  return spread !== null && spread < -FAR_APART_BPS ? FAR_APART : 'bid above ask';
}

/** Who lists a market, for its row: the venues in trouble, else how many there are. */
export function listedWords(
  venues: readonly (readonly [string, VenueState | undefined])[],
  pools: number,
): string {
  const trouble = venues.filter(([, state]) => state !== undefined && state.state !== 'live');
  if (trouble.length > 0) return venuesNotLive(venues);
  const [only] = venues;
  if (only === undefined) return '';
  const listed = venues.length === 1 ? `${venueName(only[0])} only` : `${venues.length} venues`;
  return pools === 0 ? listed : `${listed}, ${pools} pool${pools === 1 ? '' : 's'}`;
}

function venuesNotLive(venues: readonly (readonly [string, VenueState | undefined])[]): string {
  const parts: string[] = [];
  for (const [venue, state] of venues) {
    if (state !== undefined && state.state !== 'live') {
      parts.push(`${venueName(venue)} ${stateWord(state.state)}`);
    }
  }
  return parts.length === 0 ? 'no venue quotes it now' : parts.join(', ');
}

/** Sign of the 24 h change for its colour. */
export function changeTone(change: number | string | null): 'up' | 'down' | 'flat' {
  const value = numeric(change);
  if (value === null || Math.abs(value) < 0.00005) return 'flat';
  return value > 0 ? 'up' : 'down';
}

const CHAIN_NAMES: Readonly<Record<string, string>> = {
  '42161': 'Arbitrum',
  '137': 'Polygon',
  '8453': 'Base',
  '421614': 'Arbitrum Sepolia',
};

export function chainName(chain: number | string | null): string {
  return chain === null ? '' : (CHAIN_NAMES[String(chain)] ?? `chain ${chain}`);
}

/**
 * `42161:USDC` -> `USDC on Arbitrum`; `0x70d95587d40A2caf56bd97485aB3Eec10Bee6336`, which is too long
 * for a table, -> `0x70d9…6336`.
 */
export function poolName(pool: string | null): string {
  if (pool === null) return '';
  const colon = pool.indexOf(':');
  const chain = colon < 0 ? undefined : CHAIN_NAMES[pool.slice(0, colon)];
  if (chain !== undefined) return `${pool.slice(colon + 1)} on ${chain}`;
  return pool.length > 16 ? `${pool.slice(0, 6)}…${pool.slice(-4)}` : pool;
}
