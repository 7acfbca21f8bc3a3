import { describe, expect, it } from 'vitest';
import { costBps, savedBps, shortUsd, sizeName, splitWords, unknownWords, usd } from '../src/lib/ladder';

describe('sizes and costs', () => {
  it('have short names', () => {
    expect(['1000', '10000', '100000', '1000000', '2500', '1234.5'].map(sizeName)).toEqual([
      '1k',
      '10k',
      '100k',
      '1M',
      '2.5k',
      '1234.5',
    ]);
  });

  it('show rebates and tell nothing from not known', () => {
    expect(costBps(12.3456)).toBe('12.35');
    expect(costBps(-0.5)).toBe('−0.50');
    expect(costBps(0)).toBe('0');
    expect(costBps(0.001)).toBe('0');
    expect(costBps(123.45)).toBe('123.5');
    expect(costBps(null)).toBe('');
    expect(savedBps(0.004)).toBe('less than 0.01');
  });

  it('of gas are never rounded away', () => {
    expect(usd('0.0001')).toBe('<$0.01');
    expect(usd('0')).toBe('$0.00');
    expect(usd('1.239')).toBe('$1.24');
    expect(usd(null)).toBe('');
  });

  it('of open interest fit a line', () => {
    expect(shortUsd('1234567')).toBe('$1.2M');
    expect(shortUsd('12')).toBe('$12');
    expect(shortUsd(null)).toBe('');
  });
});

describe('a split', () => {
  it('names its legs', () => {
    const legs = [
      { venue: 'dydx', pool: null, share_bps: 6_250 },
      { venue: 'gains', pool: '42161:USDC', share_bps: 3_750 },
    ];
    expect(splitWords({ legs, all_in_bps: 5, saved_bps: 1 })).toBe(
      '62.5% dYdX + 37.5% Gains, USDC on Arbitrum',
    );
  });
});

describe('what is not known', () => {
  it('is said in words, known code or not', () => {
    expect(unknownWords('DEPTH')).toBe('its depth is not known that far');
    expect(unknownWords('NEW_CODE')).toBe('new code');
    expect(unknownWords(null)).toBe('not known');
  });
});
