/** Numbers and times as text. Prices and sizes are never formatted: they are shown as sent. */

export const DASH = '–';

/** `2.4 s` -> `2s`; calm enough for a column that is redrawn all the time. */
export function shortAge(ageUs: number): string {
  const seconds = Math.max(0, ageUs) / 1e6;
  if (seconds < 1) return '<1s';
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** With tenths below ten seconds, where they tell a quick feed from a slow one. */
export function fineAge(ageUs: number): string {
  const seconds = Math.max(0, ageUs) / 1e6;
  return seconds < 10 ? `${seconds.toFixed(1)}s` : shortAge(ageUs);
}

/** `0.0123` -> `+1.23%`. */
export function percent(fraction: number | string | null): string {
  const value = numeric(fraction);
  if (value === null) return '';
  const text = (Math.abs(value) * 100).toFixed(2);
  if (Number(text) === 0) return '0.00%';
  return `${value < 0 ? '−' : '+'}${text}%`;
}

/** Two decimals, more only for a spread below one hundredth of a basis point. */
export function bps(value: number | string | null): string {
  const number = numeric(value);
  if (number === null) return '';
  const size = Math.abs(number);
  const sign = number < 0 ? '−' : '';
  if (size !== 0 && size < 0.01) return sign + trimZeros(size.toPrecision(2));
  return sign + size.toFixed(size >= 100 ? 1 : 2);
}

/** As sent, but for the noise behind the fourth decimal. */
export function exactBps(value: number | string | null): string {
  const number = numeric(value);
  return number === null ? '' : String(Number(number.toFixed(4)));
}

export function numeric(value: number | string | null | undefined): number | null {
  if (value === null || value === undefined || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

export function decimals(price: string | null): number {
  if (price === null) return 0;
  const point = price.indexOf('.');
  return point < 0 ? 0 : price.length - point - 1;
}

const SHOWN_DIGITS = 9;

/**
 * A price in what is shown and what is left away: oracles have up to 18 decimals, of which the first
 * 9 digits tell. Nothing is rounded; a price that is not longer is shown whole.
 */
export function shownAndRest(price: string): [string, string] {
  const point = price.indexOf('.');
  if (point < 0) return [price, ''];
  let digits = 0;
  for (let i = 0; i < price.length; i += 1) {
    if (i > point && digits >= SHOWN_DIGITS) {
      const cut = i === point + 1 ? point : i;
      return [price.slice(0, cut), price.slice(cut)];
    }
    const char = price.charAt(i);
    if (char !== '.' && (char !== '0' || digits > 0)) digits += 1;
  }
  return [price, ''];
}

/** What is missing at the end of `price` to stand under one with `places` decimals. */
export function padding(price: string | null, places: number): string {
  if (price === null || price === '') return '';
  const own = decimals(price);
  if (own >= places) return '';
  return (own === 0 ? '.' : '') + '0'.repeat(places - own);
}

/** Where the last price stands against the one before: 1 up, -1 down, 0 equal or unknown. */
export function direction(before: string | null, after: string | null): -1 | 0 | 1 {
  const a = numeric(before);
  const b = numeric(after);
  if (a === null || b === null || a === b) return 0;
  return b > a ? 1 : -1;
}

/** Microseconds of an ISO text or of a number of microseconds. */
export function toUs(value: string | number | null): number | null {
  if (value === null) return null;
  if (typeof value === 'number') return value;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? null : ms * 1_000;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** Local time of day, `14:03:09`. */
export function timeOfDay(us: number): string {
  const date = new Date(us / 1_000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function utcTimeOfDay(us: number): string {
  return new Date(us / 1_000).toISOString().slice(11, 19);
}

function trimZeros(text: string): string {
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text;
}
