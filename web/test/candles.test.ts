import { describe, expect, it } from 'vitest';
import { GAP_PLACES, Series, scaleDecimals } from '../src/lib/candles';
import type { Candle } from '../src/lib/wire';

const START = Date.parse('2026-09-22T00:00:00.000Z');

function candle(minute: number, close = '5', closed = true): Candle {
  const t = new Date(START + minute * 60_000).toISOString();
  return { t, open: '4', high: '9', low: '1', close, ticks: 3, closed };
}

function times(series: Series): number[] {
  return series.places().map((place) => (place.time - START / 1_000) / 60);
}

describe('a series', () => {
  it('stands by time, whatever order its pages come in', () => {
    const series = new Series('1m');
    series.take([candle(2), candle(3)]);
    series.take([candle(0), candle(1), candle(2)]);
    expect(times(series)).toEqual([0, 1, 2, 3]);
    expect(series.oldest).toBe(candle(0).t);
    expect(series.newest?.t).toBe(candle(3).t);
  });

  it('shows a gap as empty places, and a long one no wider than a bound', () => {
    const series = new Series('1m');
    series.take([candle(0), candle(3)]);
    expect(series.places().map((place) => 'close' in place)).toEqual([true, false, false, true]);
    series.take([candle(5_000)]);
    expect(series.places()).toHaveLength(4 + GAP_PLACES + 1);
  });

  it('takes the newest word about a candle, but does not open one again that has closed', () => {
    const series = new Series('1m');
    series.take([candle(0, '5', false)]);
    series.take([candle(0, '6', false)]);
    expect(series.newest?.close).toBe('6');
    series.take([candle(0, '7', true)]);
    series.take([candle(0, '8', false)]);
    expect(series.newest?.close).toBe('7');
  });

  it('loses no tick of a closed candle to a page that was read too early', () => {
    const series = new Series('1m');
    series.take([{ ...candle(0, '5'), ticks: 9 }]);
    series.take([{ ...candle(0, '6'), ticks: 8 }]);
    expect(series.newest?.close).toBe('5');
    series.take([{ ...candle(0, '7'), ticks: 10 }]);
    expect(series.newest?.close).toBe('7');
  });

  it('tells when a candle may have closed unseen', () => {
    const series = new Series('1m');
    expect(series.follow(candle(0, '5', false))).toBe(false);
    expect(series.follow(candle(0, '6', false))).toBe(false);
    expect(series.follow(candle(1, '6', false))).toBe(true);
    expect(series.follow(candle(0, '9', false))).toBe(false);
    expect(series.newest?.t).toBe(candle(1).t);
  });

  it('draws nothing of a candle of which nothing is known', () => {
    const series = new Series('1m');
    const nothing = { t: null, open: null, high: null, low: null, close: null };
    expect(series.follow({ ...nothing, ticks: 0, closed: false })).toBe(false);
    expect(series.length).toBe(0);
    expect(series.last()).toBeNull();
  });

  it('keeps the very strings that were sent', () => {
    const series = new Series('1m');
    series.take([candle(0, '0.000000123456789012345678')]);
    expect(series.newest?.close).toBe('0.000000123456789012345678');
  });
});

describe('the scale', () => {
  it('has as many decimals as tell', () => {
    expect(scaleDecimals(97_013)).toBe(0);
    expect(scaleDecimals(1.5)).toBe(4);
    expect(scaleDecimals(0.00002)).toBe(9);
    expect(scaleDecimals(0)).toBe(2);
  });
});
