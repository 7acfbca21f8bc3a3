/** What holding costs, side by side: rates as text, and which place is the cheapest. Pure. */

import { numeric } from './format';
import type { FundingRates, FundingRow } from './wire';

export type HoldSide = 'long' | 'short';
export type FundingColumn = 'market' | HoldSide;

/** Hours a position is held, to choose from. */
export const HOURS: readonly { hours: number; label: string }[] = [
  { hours: 1, label: '1 hour' },
  { hours: 8, label: '8 hours' },
  { hours: 24, label: '1 day' },
  { hours: 168, label: '1 week' },
  { hours: 720, label: '30 days' },
];

/** `0.0000125` -> `0.00125%`: three digits that tell. */
export function ratePercent(rate: string | number | null): string {
  const value = numeric(rate);
  if (value === null) return '';
  const percent = value * 100;
  if (percent === 0) return '0%';
  const size = Math.abs(percent);
  const text = size >= 1 ? size.toFixed(2) : trimmed(size.toPrecision(3));
  return `${percent < 0 ? '−' : ''}${text}%`;
}

function trimmed(text: string): string {
  const plain = text.includes('e') ? Number(text).toFixed(10) : text;
  return plain.includes('.') ? plain.replace(/\.?0+$/, '') : plain;
}

/**
 * What one side pays in an hour, funding and borrowing, as a fraction of the notional; negative: it
 * receives. Null where it is not known.
 */
export function hourlyCost(rates: FundingRates, side: HoldSide): number | null {
  const long = numeric(rates.per_hour);
  const short = numeric(rates.short_per_hour ?? rates.per_hour);
  if (side === 'long') {
    return long === null ? null : long + (numeric(rates.borrow_long_per_hour) ?? 0);
  }
  return short === null ? null : -short + (numeric(rates.borrow_short_per_hour) ?? 0);
}

/** Basis points of the notional for holding so many hours. */
export function carryBps(rates: FundingRates, side: HoldSide, hours: number): number | null {
  const cost = hourlyCost(rates, side);
  return cost === null ? null : cost * hours * 10_000;
}

export interface Cheapest {
  venue: string;
  pool: string | null;
  bps: number;
}

/** The pool of all venues where that side costs least; null where nothing is known. */
export function cheapest(
  row: FundingRow,
  side: HoldSide,
  hours: number,
  isLive: (venue: string) => boolean,
): Cheapest | null {
  let best: Cheapest | null = null;
  for (const [venue, told] of Object.entries(row)) {
    if (!isLive(venue)) continue;
    for (const rates of told.pools.length > 0 ? told.pools : [told]) {
      const bps = carryBps(rates, side, hours);
      if (bps !== null && (best === null || bps < best.bps)) best = { venue, pool: rates.pool, bps };
    }
  }
  return best;
}

export interface FundingLine {
  market: string;
  row: FundingRow;
  long: Cheapest | null;
  short: Cheapest | null;
}

/** Lines in the order of a column, the cheapest first; what is not known stands last. */
export function sortLines(lines: readonly FundingLine[], column: FundingColumn): FundingLine[] {
  const byName = (a: FundingLine, b: FundingLine): number => (a.market < b.market ? -1 : 1);
  if (column === 'market') return [...lines].sort(byName);
  return [...lines].sort((a, b) => {
    const [ca, cb] = [a[column], b[column]];
    if (ca === null || cb === null) {
      return (ca === null ? 1 : 0) - (cb === null ? 1 : 0) || byName(a, b);
    }
    return ca.bps - cb.bps || byName(a, b);
  });
}
