/**
 * The candles of one series as the chart holds them: pages of history and the newest one, by time.
 * Prices stay the strings of the wire; only what is drawn becomes a number.
 */

import type { Candle } from './wire';

export const INTERVALS = ['1s', '1m', '5m', '15m', '1h', '4h', '1d'] as const;
export type Interval = (typeof INTERVALS)[number];

const SECONDS: Readonly<Record<Interval, number>> = {
  '1s': 1,
  '1m': 60,
  '5m': 300,
  '15m': 900,
  '1h': 3_600,
  '4h': 14_400,
  '1d': 86_400,
};

/** Empty places that are drawn for one gap: a weekend need not be as wide as a week. */
export const GAP_PLACES = 60;

export interface Bar extends Candle {
  t: string;
  open: string;
  high: string;
  low: string;
  close: string;
}

/** A candle, or an empty place where there is none. `time`: seconds since 1970. */
export type Place =
  | { time: number; open: number; high: number; low: number; close: number }
  | { time: number };

function secondsOf(t: string): number {
  return Math.round(Date.parse(t) / 1_000);
}

function isBar(candle: Candle): candle is Bar {
  return (
    candle.t !== null &&
    candle.open !== null &&
    candle.high !== null &&
    candle.low !== null &&
    candle.close !== null
  );
}

export class Series {
  #bars = new Map<number, Bar>();
  #times: number[] = [];

  constructor(readonly interval: Interval) {}

  get length(): number {
    return this.#bars.size;
  }

  /** Where the oldest candle begins; null before there is one. */
  get oldest(): string | null {
    return this.#at(0)?.t ?? null;
  }

  get newest(): Bar | null {
    return this.#at(this.#times.length - 1);
  }

  bar(time: number): Bar | null {
    return this.#bars.get(time) ?? null;
  }

  /**
   * Takes candles in any order; later words about one stand, but what has closed stays closed, and a
   * page that was read before its last ticks were written takes none of them away.
   */
  take(candles: readonly Candle[]): void {
    let isNew = false;
    for (const candle of candles) {
      if (!isBar(candle)) continue;
      const time = secondsOf(candle.t);
      const known = this.#bars.get(time);
      const whole = known !== undefined && known.closed;
      if (whole && (!candle.closed || candle.ticks < known.ticks)) continue;
      isNew ||= known === undefined;
      this.#bars.set(time, candle);
    }
    if (isNew) this.#times = [...this.#bars.keys()].sort((a, b) => a - b);
  }

  /**
   * Takes the newest candle. `true`: one has closed since the last word, or was never heard of, so
   * that the last few should be read again.
   */
  follow(candle: Candle): boolean {
    if (!isBar(candle)) return false;
    const before = this.newest;
    this.take([candle]);
    return before !== null && secondsOf(candle.t) > secondsOf(before.t);
  }

  /** Every candle by time, with empty places where some are missing. */
  places(): Place[] {
    const width = SECONDS[this.interval];
    const found: Place[] = [];
    let before: number | null = null;
    for (const time of this.#times) {
      const bar = this.#bars.get(time);
      if (bar === undefined) continue;
      if (before !== null) {
        const missing = Math.round((time - before) / width) - 1;
        for (let n = 1; n <= Math.min(missing, GAP_PLACES); n += 1) {
          found.push({ time: before + n * width });
        }
      }
      found.push(drawn(time, bar));
      before = time;
    }
    return found;
  }

  /** The newest candle alone, as `places` would end. */
  last(): Place | null {
    const bar = this.newest;
    return bar === null ? null : drawn(secondsOf(bar.t), bar);
  }

  #at(place: number): Bar | null {
    const time = this.#times[place];
    return time === undefined ? null : (this.#bars.get(time) ?? null);
  }
}

function drawn(time: number, bar: Bar): Place {
  return {
    time,
    open: Number(bar.open),
    high: Number(bar.high),
    low: Number(bar.low),
    close: Number(bar.close),
  };
}

/** Decimals that the chart's scale needs: five digits of the price tell enough. */
export function scaleDecimals(price: number): number {
  if (!(price > 0)) return 2;
  return Math.min(12, Math.max(0, 4 - Math.floor(Math.log10(price))));
}

export const PAGE = 500;

export class HistoryError extends Error {}

/** A page of history that ends before `to`, or the newest one. Throws HistoryError with words. */
export async function fetchCandles(
  market: string,
  interval: Interval,
  venue: string | null,
  to: string | null,
  limit: number,
  signal: AbortSignal,
): Promise<Candle[]> {
  const query = new URLSearchParams({ interval, limit: String(limit) });
  if (venue !== null) query.set('venue', venue);
  if (to !== null) query.set('to', to);
  const answer = await fetch(`/v1/candles/${encodeURIComponent(market)}?${query.toString()}`, {
    cache: 'no-store',
    signal,
  });
  const body = (await answer.json()) as { data?: Candle[]; detail?: string };
  if (!answer.ok || body.data === undefined) {
    throw new HistoryError(body.detail ?? `the server answered ${answer.status}`);
  }
  return body.data;
}
