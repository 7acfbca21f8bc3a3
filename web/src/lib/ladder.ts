/** What the ladder shows of a row: texts and which cell is the best. Pure. */

import { numeric } from './format';
import { poolName, venueName } from './words';
import type { LadderRow, Legs } from './wire';

/** `1000` -> `1k`, `1000000` -> `1M`. */
export function sizeName(size: string): string {
  const value = Number(size);
  if (!Number.isFinite(value)) return size;
  if (value >= 1e6 && value % 1e4 === 0) return `${value / 1e6}M`;
  if (value >= 1e3 && value % 10 === 0) return `${value / 1e3}k`;
  return size;
}

/** One decimal where it is large, more where it is small; a rebate is negative. */
export function costBps(value: number | null | undefined): string {
  const number = numeric(value ?? null);
  if (number === null) return '';
  const size = Math.abs(number);
  const text = size.toFixed(size >= 100 ? 1 : 2);
  return Number(text) === 0 ? '0' : `${number < 0 ? '−' : ''}${text}`;
}

/** A gain is never nothing. */
export function savedBps(value: number): string {
  const text = costBps(value);
  return text === '0' ? 'less than 0.01' : text;
}

/** `12.3456` -> `$12.35`; a little is not nothing. */
export function usd(value: string | null): string {
  const number = numeric(value);
  if (number === null) return '';
  if (number > 0 && number < 0.01) return '<$0.01';
  return `$${number.toFixed(2)}`;
}

const LARGE: readonly (readonly [number, string])[] = [
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** `1234567` -> `$1.2M`. */
export function shortUsd(value: string | null): string {
  const number = numeric(value);
  if (number === null) return '';
  for (const [unit, letter] of LARGE) {
    if (Math.abs(number) >= unit) return `$${(number / unit).toFixed(1)}${letter}`;
  }
  return `$${number.toFixed(0)}`;
}

export function placeName(venue: string, pool: string | null): string {
  return pool === null ? venueName(venue) : `${venueName(venue)}, ${poolName(pool)}`;
}

export function rowKey(row: Pick<LadderRow, 'venue' | 'pool'>): string {
  return `${row.venue} ${row.pool ?? ''}`;
}

/** `60% dYdX + 40% GMX, 0x70d9…6336`. */
export function splitWords(split: Legs): string {
  return split.legs
    .map((leg) => `${String(Number((leg.share_bps / 100).toFixed(1)))}% ${placeName(leg.venue, leg.pool)}`)
    .join(' + ');
}

const UNKNOWN_WORDS: Readonly<Record<string, string>> = {
  DEPTH: 'its depth is not known that far',
  NO_DEPTH: 'its depth is not known',
  NO_BOOK: 'its order book is not known',
  NO_SIZE: 'nothing can be traded',
  BELOW_MIN: 'smaller than it takes',
  BELOW_STEP: 'smaller than it takes',
  IMPACT: 'it would refuse the price',
  NO_TOUCH: 'not in that direction now',
  ABOVE_MAX: 'larger than it takes',
  BAD_SIZE: 'no size it takes',
  EXPOSURE_LIMITS: 'larger than its limits allow',
  CLOSED: 'closed',
};

/** Why there is no price for a size. */
export function unknownWords(reason: string | null | undefined): string {
  if (reason === null || reason === undefined) return 'not known';
  return UNKNOWN_WORDS[reason] ?? reason.toLowerCase().replaceAll('_', ' ');
}
