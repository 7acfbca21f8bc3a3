import { describe, expect, it } from 'vitest';
import { buildOf } from '../src/lib/build';
import {
  bps,
  direction,
  exactBps,
  fineAge,
  padding,
  percent,
  shortAge,
  toUs,
  shownAndRest,
} from '../src/lib/format';
import { nextSort, search, sortMarkets, type RowSource } from '../src/lib/order';
import type { BoardEntry } from '../src/lib/store';

describe('figures', () => {
  it('pad a price in minimal form to its column', () => {
    expect(padding('97013', 1)).toBe('.0');
    expect(padding('97012.5', 1)).toBe('');
    expect(padding('0.1', 4)).toBe('000');
    expect(padding(null, 4)).toBe('');
  });

  it('tell where a price went', () => {
    expect(direction('1.5', '1.6')).toBe(1);
    expect(direction('10', '9.9')).toBe(-1);
    expect(direction('1', '1')).toBe(0);
    expect(direction(null, '1')).toBe(0);
  });

  it('write ages, spreads and changes', () => {
    expect([400_000, 2_900_000, 61e6, 3_700e6, 90_000e6].map(shortAge)).toEqual([
      '<1s',
      '2s',
      '1m',
      '1h',
      '1d',
    ]);
    expect(shortAge(-5)).toBe('<1s');
    expect(fineAge(840_000)).toBe('0.8s');
    expect(fineAge(12e6)).toBe('12s');
    expect(percent(0.0123)).toBe('+1.23%');
    expect(percent(-0.5)).toBe('−50.00%');
    expect(percent(0.00001)).toBe('0.00%');
    expect(percent(null)).toBe('');
    expect([0.05, 0.0012, -3.456, 779.21, 0, null].map(bps)).toEqual([
      '0.05',
      '0.0012',
      '−3.46',
      '779.2',
      '0.00',
      '',
    ]);
    expect(exactBps(0.0515)).toBe('0.0515');
    expect(exactBps(1)).toBe('1');
  });

  it('read both forms of a time', () => {
    expect(toUs('2026-01-01T00:00:00.000Z')).toBe(1_767_225_600_000_000);
    expect(toUs(5)).toBe(5);
    expect(toUs('soon')).toBeNull();
  });

  it('find the name of a build', () => {
    expect(buildOf('<head><meta name="perptape-build" content="abc" /></head>')).toBe('abc');
    expect(buildOf('<head></head>')).toBeNull();
  });
});

describe('long prices', () => {
  it.each([
    ['97012.5', '97012.5', ''],
    ['123456789012', '123456789012', ''],
    ['68547.830386803030884352', '68547.8303', '86803030884352'],
    ['0.000002623317123456', '0.00000262331712', '3456'],
    ['1739495434.083952', '1739495434', '.083952'],
    ['', '', ''],
  ])('%s', (price, shown, rest) => {
    expect(shownAndRest(price)).toEqual([shown, rest]);
  });
});

describe('the order of the board', () => {
  const entries: Record<string, [string | null, number]> = {
    'AAVE-USD': ['200', 0.1],
    'BTC-USD': ['97000', -0.1],
    'ETH-USD': ['3000', 0.3],
    'XRP-USD': [null, 0],
  };
  const markets = Object.keys(entries);
  const source: RowSource = {
    entry: (market) => {
      const [bid, change_24h] = entries[market] as [string | null, number];
      const quote = {
        bid,
        ask: bid,
        bid_venue: null,
        ask_venue: null,
        spread_bps: null,
        crossed: false,
        change_24h,
      };
      return { quote, seq: 1, epoch: 1, changedUs: 1, changeSeen: true } satisfies BoardEntry;
    },
    healthRank: () => 0,
  };
  const none: ReadonlySet<string> = new Set();

  it('puts favourites and the majors first until a column is chosen', () => {
    expect(sortMarkets(markets, null, none, source)[0]).toBe('BTC-USD');
    expect(sortMarkets(markets, null, new Set(['XRP-USD']), source).slice(0, 2)).toEqual([
      'XRP-USD',
      'BTC-USD',
    ]);
  });

  it('sorts by value, not by text, with the missing last both ways', () => {
    const down = sortMarkets(markets, { column: 'bid', descending: true }, none, source);
    expect(down).toEqual(['BTC-USD', 'ETH-USD', 'AAVE-USD', 'XRP-USD']);
    const up = sortMarkets(markets, { column: 'bid', descending: false }, none, source);
    expect(up).toEqual(['AAVE-USD', 'ETH-USD', 'BTC-USD', 'XRP-USD']);
    expect(sortMarkets(markets, { column: 'market', descending: true }, none, source)[0]).toBe(
      'XRP-USD',
    );
  });

  it('goes through first, opposite and none', () => {
    const first = nextSort(null, 'change');
    const second = nextSort(first, 'change');
    expect([first?.descending, second?.descending, nextSort(second, 'change')]).toEqual([
      true,
      false,
      null,
    ]);
    expect(nextSort(first, 'market')).toEqual({ column: 'market', descending: false });
  });

  it('finds names that begin with the text before those that hold it', () => {
    expect(search(['AETH-USD', 'ETH-USD'], ' eth')).toEqual(['ETH-USD', 'AETH-USD']);
    expect(search(['BTC-USD'], 'btc/usd')).toEqual(['BTC-USD']);
    expect(search(['BTC-USD'], 'x')).toEqual([]);
  });
});
