/** Which rows the board shows, and in which order. */

import { numeric } from './format';
import type { BoardEntry } from './store';

export type Column = 'market' | 'bid' | 'ask' | 'spread' | 'change' | 'age' | 'health';
export type Tab = 'all' | 'favourites' | 'crossed' | 'no_price';

export interface Sort {
  column: Column;
  descending: boolean;
}

/** Shown first until a column is chosen: what most come to look at. */
const MAJORS = ['BTC-USD', 'ETH-USD', 'SOL-USD'];

/** The direction a first click gives: names upwards, figures from the largest. */
export function firstDirection(column: Column): boolean {
  return column !== 'market' && column !== 'health' && column !== 'age';
}

/** First click, opposite, back to the order of the house. */
export function nextSort(current: Sort | null, column: Column): Sort | null {
  const first = firstDirection(column);
  if (current === null || current.column !== column) return { column, descending: first };
  return current.descending === first ? { column, descending: !first } : null;
}

export interface RowSource {
  entry(market: string): BoardEntry | undefined;
  /** Lower is better; sorts the health column. */
  healthRank(market: string): number;
}

function key(column: Column, market: string, source: RowSource): number | null {
  const entry = source.entry(market);
  if (column === 'health') return source.healthRank(market);
  if (entry === undefined) return null;
  const { quote } = entry;
  switch (column) {
    case 'bid':
      return numeric(quote.bid);
    case 'ask':
      return numeric(quote.ask);
    case 'spread':
      return numeric(quote.spread_bps);
    case 'change':
      return numeric(quote.change_24h);
    case 'age':
      return quote.bid === null && quote.ask === null ? null : -entry.changedUs;
    case 'market':
      return null;
  }
}

/** A new array; what has no value stands last in both directions, equal rows by name. */
export function sortMarkets(
  markets: readonly string[],
  sort: Sort | null,
  favourites: ReadonlySet<string>,
  source: RowSource,
): string[] {
  const sorted = [...markets];
  if (sort === null) {
    const rank = (market: string): number => {
      const major = MAJORS.indexOf(market);
      const own = major < 0 ? MAJORS.length : major;
      return favourites.has(market) ? own - 100 : own;
    };
    return sorted.sort((a, b) => rank(a) - rank(b) || compareNames(a, b));
  }
  const sign = sort.descending ? -1 : 1;
  if (sort.column === 'market') return sorted.sort((a, b) => sign * compareNames(a, b));
  const keys = new Map(sorted.map((market) => [market, key(sort.column, market, source)]));
  return sorted.sort((a, b) => {
    const ka = keys.get(a) ?? null;
    const kb = keys.get(b) ?? null;
    if (ka === null || kb === null) {
      return (ka === null ? 1 : 0) - (kb === null ? 1 : 0) || compareNames(a, b);
    }
    return sign * (ka - kb) || compareNames(a, b);
  });
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Markets whose name holds the text; those that begin with it first, else the order is kept. */
export function search(markets: readonly string[], text: string): string[] {
  const wanted = text.trim().toUpperCase().replaceAll('/', '-');
  if (wanted === '') return [...markets];
  const begins: string[] = [];
  const holds: string[] = [];
  for (const market of markets) {
    if (market.startsWith(wanted)) begins.push(market);
    else if (market.includes(wanted)) holds.push(market);
  }
  return [...begins, ...holds];
}
