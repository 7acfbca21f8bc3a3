import { describe, expect, it } from 'vitest';
import {
  carryBps,
  cheapest,
  hourlyCost,
  ratePercent,
  sortLines,
  type FundingLine,
} from '../src/lib/funding';
import type { VenueFunding } from '../src/lib/wire';

function rates(per_hour: string, more: Partial<VenueFunding> = {}): VenueFunding {
  return {
    per_hour,
    per_8h: per_hour,
    apr: per_hour,
    interval_hours: 1,
    next_at: null,
    oi_long_usd: null,
    oi_short_usd: null,
    pool: null,
    short_per_hour: null,
    borrow_long_per_hour: null,
    borrow_short_per_hour: null,
    available_long_usd: null,
    available_short_usd: null,
    pools: [],
    ...more,
  };
}

const always = (): boolean => true;

describe('what a side pays', () => {
  it('is funding for longs and its opposite for shorts', () => {
    expect(hourlyCost(rates('0.0001'), 'long')).toBeCloseTo(0.0001);
    expect(hourlyCost(rates('0.0001'), 'short')).toBeCloseTo(-0.0001);
  });

  it('counts borrowing, and what shorts receive where that is less', () => {
    const split = rates('0.0003', { short_per_hour: '0.0001', borrow_short_per_hour: '0.0002' });
    expect(hourlyCost(split, 'short')).toBeCloseTo(0.0001);
    expect(hourlyCost(rates('0.0001', { borrow_long_per_hour: '0.0004' }), 'long')).toBeCloseTo(
      0.0005,
    );
  });

  it('grows with the time', () => {
    expect(carryBps(rates('0.0001'), 'long', 24)).toBeCloseTo(24);
  });
});

describe('the cheapest place', () => {
  const row = { dydx: rates('0.0001'), gmx: rates('-0.0002') };

  it('is where a side pays least or receives most', () => {
    expect(cheapest(row, 'long', 1, always)).toMatchObject({ venue: 'gmx' });
    expect(cheapest(row, 'short', 1, always)).toMatchObject({ venue: 'dydx' });
  });

  it('may be a pool that is not the largest of its venue', () => {
    const pools = [rates('0.0003', { pool: 'a' }), rates('-0.0004', { pool: 'b' })];
    const gmx = rates('0.0003', { pool: 'a', pools });
    expect(cheapest({ ...row, gmx }, 'long', 1, always)).toMatchObject({ venue: 'gmx', pool: 'b' });
    expect(cheapest({ ...row, gmx }, 'short', 1, always)).toMatchObject({ venue: 'gmx', pool: 'a' });
  });

  it('is not at a venue that is not live', () => {
    expect(cheapest(row, 'long', 1, (venue) => venue !== 'gmx')).toMatchObject({ venue: 'dydx' });
    expect(cheapest(row, 'long', 1, () => false)).toBeNull();
  });
});

describe('the order', () => {
  const line = (market: string, bps: number | null): FundingLine => ({
    market,
    row: {},
    long: bps === null ? null : { venue: 'dydx', pool: null, bps },
    short: null,
  });

  it('has the cheapest first and what is not known last', () => {
    const lines = [line('C', null), line('B', 3), line('A', -2), line('D', 3)];
    expect(sortLines(lines, 'long').map(({ market }) => market)).toEqual(['A', 'B', 'D', 'C']);
    expect(sortLines(lines, 'market').map(({ market }) => market)).toEqual(['A', 'B', 'C', 'D']);
  });
});

describe('a rate', () => {
  it('shows the digits that tell', () => {
    expect(ratePercent('0.0000125')).toBe('0.00125%');
    expect(ratePercent('0.1095')).toBe('10.95%');
    expect(ratePercent('-0.00005')).toBe('−0.005%');
    expect(ratePercent('0')).toBe('0%');
    expect(ratePercent('0.00000000001')).toBe('0.000000001%');
    expect(ratePercent(null)).toBe('');
  });
});
