import { describe, expect, it } from 'vitest';
import { priceFlag } from '../src/lib/flag';
import type { PriceData, VenueQuote } from '../src/lib/wire';

function venue(state: string): VenueQuote {
  return { bid: '1', ask: '2', kind: 'oracle', pool: null, price_us: null, state };
}

const DATA: PriceData = {
  bid: '1',
  bid_venue: 'dydx',
  bid_size: null,
  ask: '2',
  ask_venue: 'gmx',
  ask_size: null,
  mid: '1.5',
  spread_bps: 1,
  crossed: false,
  quality: { venues: 2, excluded: [], disagree: false },
  venues: { dydx: venue('live'), gmx: venue('live'), gains: venue('closed') },
};

describe('what stands below the price', () => {
  it('names who makes it', () => {
    expect(priceFlag(DATA, '')).toEqual({
      tone: 'good',
      field: 'best',
      title: 'Live',
      text: 'dYdX pays most, GMX asks least',
    });
    expect(priceFlag({ ...DATA, ask_venue: 'dydx' }, '').text).toBe('dYdX pays most and asks least');
  });

  it('tells why there is none', () => {
    const none = priceFlag({ ...DATA, bid: null, ask: null }, 'GMX: stale');
    expect(none).toMatchObject({ field: 'no_price', title: 'No live price', text: 'GMX: stale' });
  });

  it('explains a crossed price with the two venues', () => {
    const flag = priceFlag({ ...DATA, bid: '3', crossed: true }, '');
    expect(flag).toMatchObject({ tone: 'warn', field: 'crossed', title: 'Crossed' });
    expect(flag.text).toContain('dYdX pays more than GMX asks');
  });

  it('explains a disagreement before what follows from it', () => {
    const quality = { ...DATA.quality, disagree: true };
    const flag = priceFlag({ ...DATA, bid: '3', crossed: true, quality }, '');
    expect(flag).toMatchObject({ tone: 'warn', field: 'disagree', title: 'Two venues disagree' });
    expect(flag.text).toContain('dYdX and GMX are too far apart');
  });

  it('says which side is missing', () => {
    expect(priceFlag({ ...DATA, bid: null }, '').title).toBe('No bid');
    expect(priceFlag({ ...DATA, ask: null }, '').title).toBe('No ask');
  });
});
