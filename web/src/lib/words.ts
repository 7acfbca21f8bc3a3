/** States and reasons in plain words. What is not known here is shown as the server sent it. */

import type { LinkState } from './link';
import { numeric } from './format';
import type { BoardQuote, VenueState } from './wire';

const VENUE_NAMES: Readonly<Record<string, string>> = { dydx: 'dYdX', gmx: 'GMX', gains: 'Gains' };

export function venueName(venue: string): string {
  return VENUE_NAMES[venue] ?? venue;
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
  stale: 'it has not proved for too long that its prices are current',
  quarantined: 'its price disagrees with the others',
  closed: 'the market is closed there',
  halted: 'the venue has halted trading',
};

const REASON_WORDS: Readonly<Record<string, string>> = {
  CONNECTING: 'no connection',
  CONNECTION_LOST: 'the connection was lost',
  NO_GREETING: 'the venue does not answer as it should',
  UNREACHABLE: 'the venue cannot be reached',
  TIMEOUT: 'the venue does not answer',
  CLOSED_BY_VENUE: 'the venue closed the connection',
  RATE_LIMITED: 'the venue limits how often we may ask',
  SILENT: 'the venue sends nothing',
  NO_HEIGHT: 'the venue shows no new block',
  STALE: 'its last price is too old',
  STALL: 'the connection stood still',
  GAP: 'messages are missing',
  GARBAGE: 'its messages cannot be read',
  RESYNCING: 'its books are being loaded again',
  NO_SNAPSHOT: 'waiting for its order book',
  NOT_LISTED: 'it does not list this market now',
  SCALE_CHANGED: 'its price steps have changed',
  CROSSED: 'its own bid and ask cross',
  OUTLIER: 'its price is far from the reference price',
  QUARANTINED: 'its price disagrees with the others',
  CLOSED: 'the market is closed there',
  HALTED: 'the venue has halted trading',
  PAUSED: 'the venue has paused the market',
  CANCEL_ONLY: 'orders can only be cancelled there',
  POST_ONLY: 'orders can only be posted there, not matched',
  INITIALIZING: 'the market is being set up there',
  FINAL_SETTLEMENT: 'the market is being settled for good',
  TICKER_STALE: 'its oracle price is too old',
  NO_TICKER: 'its oracle shows no price',
  PRINT_OLD: 'its oracle price has not moved for too long',
  NO_POOL: 'none of its pools can be traded with now',
  HOURS: 'the market is closed at this hour',
  CLOSE_ONLY: 'positions can only be closed there',
  FEED_LOST: 'the price feed has stopped',
  FEED_SILENT: 'the price feed has stopped',
};

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
      const words = REASON_WORDS[code] ?? code.toLowerCase().replaceAll('_', ' ');
      const details = match[2] ?? '';
      const tell = details !== '' && details.length <= SHORT && !details.includes('://');
      return tell ? `${words}: ${details}` : words;
    })
    .join('; ');
}

/** Why a venue is not live, or what is wrong with some of its markets. */
export function venueReason(venue: VenueState): string {
  return (
    reasonWords(venue.reason) ||
    (venue.state === 'live' ? '' : (STATE_WORDS_LONG[venue.state] ?? ''))
  );
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
  quote: Pick<BoardQuote, 'bid' | 'ask' | 'crossed'> | null,
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
  if (quote.crossed) return { health: 'crossed', word: 'crossed', reason: 'bid above ask' };
  return { health: 'live', word: 'live', reason: '' };
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

/** `0x70d95587d40A2caf56bd97485aB3Eec10Bee6336` is too long for a table: `0x70d9…6336`. */
export function poolName(pool: string | null): string {
  if (pool === null) return '';
  return pool.length > 16 ? `${pool.slice(0, 6)}…${pool.slice(-4)}` : pool;
}
