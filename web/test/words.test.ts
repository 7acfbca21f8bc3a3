import { describe, expect, it } from 'vitest';
import {
  byVenue,
  exclusionWords,
  exclusions,
  linkWords,
  listedWords,
  marketHealth,
  poolName,
  reasonWords,
  venueNames,
  venueReason,
} from '../src/lib/words';
import type { BoardQuote, VenueState } from '../src/lib/wire';

const QUOTE: BoardQuote = {
  bid: '1',
  ask: '2',
  bid_venue: 'dydx',
  ask_venue: 'gmx',
  spread_bps: 1,
  crossed: false,
  change_24h: null,
};

function venue(state: string, reason: string | null = null): VenueState {
  return { state, reason, since: null, markets: 1, last_frame_us: null };
}

describe('reasons', () => {
  it('are explained where known and spelled out where not', () => {
    expect(reasonWords('STALE')).toBe('no proof that its prices are current');
    expect(reasonWords('GAP: 3 messages missing')).toBe('messages are missing: 3 messages missing');
    expect(reasonWords('SOME_NEW_CODE')).toBe('some new code');
    expect(reasonWords('the chain has halted')).toBe('the chain has halted');
    expect(reasonWords(null)).toBe('');
    expect(reasonWords('STALE: no proof that its prices are current')).toBe(
      'no proof that its prices are current',
    );
  });

  it('leave addresses out and keep several apart', () => {
    expect(reasonWords('UNREACHABLE: ws://host:1/x: refused')).toBe('the venue cannot be reached');
    expect(reasonWords('NO_SNAPSHOT: 3 of 287 markets; OUTLIER: 1 of 287 markets')).toBe(
      'waiting for its order book: 3 of 287 markets; its price is too far from the others or from its own oracle: 1 of 287 markets',
    );
  });

  it('of a venue fall back on its state', () => {
    expect(venueReason(venue('halted'))).toBe('the venue has halted trading');
    expect(venueReason(venue('live'))).toBe('');
  });

  it('of a live venue count the markets that are left out', () => {
    expect(venueReason(venue('live', 'NO_SNAPSHOT: 1 of 9 markets'))).toBe(
      '1 of 9 markets left out: waiting for its order book',
    );
    expect(venueReason(venue('live', 'HTTP_503: 1 of 9 markets; OUTLIER: 2 of 9 markets'))).toBe(
      '1 of 9 markets left out: the venue refuses to answer (503); 2 of 9 markets left out: price too far from the others',
    );
  });

  it('of a market without connection are those of the venue', () => {
    const lost = venue('connecting', 'UNREACHABLE: host: refused');
    expect(exclusionWords('CONNECTING', lost)).toBe('the venue cannot be reached: host: refused');
    expect(exclusionWords('CONNECTING', venue('live'))).toBe('no connection');
    expect(exclusionWords('CONNECTING', undefined)).toBe('no connection');
    expect(exclusionWords('HOURS', lost)).toBe('the market is closed at this hour');
  });

  it('are said once for venues that share one', () => {
    const excluded = [
      { venue: 'dydx', reason: 'FEED_SILENT' },
      { venue: 'gmx', reason: 'FEED_SILENT' },
      { venue: 'gains', reason: 'HOURS' },
    ];
    expect(exclusions(excluded, {})).toBe(
      'dYdX and GMX: the price feed has stopped; Gains: the market is closed at this hour',
    );
    expect(exclusions([], {})).toBe('');
  });
});

describe('health', () => {
  it('claims nothing without a live link', () => {
    expect(marketHealth(QUOTE, false, true, [])).toMatchObject({
      health: 'offline',
      word: 'not live',
    });
  });

  it('says why there is no price', () => {
    const none = { ...QUOTE, bid: null, ask: null };
    expect(
      marketHealth(none, true, true, [
        ['dydx', venue('resyncing')],
        ['gmx', venue('live')],
      ]),
    ).toEqual({
      health: 'no_price',
      word: 'no live price',
      reason: 'dYdX resyncing',
    });
    expect(marketHealth(null, true, true, []).reason).toBe('no venue quotes it now');
    expect(marketHealth(none, true, false, []).health).toBe('closed');
  });

  it('tells one side, crossed and healthy apart', () => {
    expect(marketHealth({ ...QUOTE, bid: null }, true, true, []).word).toBe('no bid');
    expect(marketHealth({ ...QUOTE, ask: null }, true, true, []).word).toBe('no ask');
    expect(marketHealth({ ...QUOTE, crossed: true }, true, true, []).health).toBe('crossed');
    expect(marketHealth(QUOTE, true, true, []).health).toBe('live');
    const far = { ...QUOTE, crossed: true, spread_bps: -1816.3 };
    expect(marketHealth(far, true, true, []).reason).toContain('a venue must be wrong');
  });
});

describe('names', () => {
  it('of venues stand in the order of the house', () => {
    const names = ['zeta', 'gains', 'dydx', 'gmx'].map((name) => [name, 0] as const);
    expect(names.sort(byVenue).map(([name]) => name)).toEqual(['dydx', 'gmx', 'gains', 'zeta']);
    expect(venueNames(['dydx', 'gmx', 'gains'])).toBe('dYdX, GMX and Gains');
    expect(venueNames(['gmx'])).toBe('GMX');
  });

  it('of pools say the chain, or are short', () => {
    expect(poolName('42161:USDC')).toBe('USDC on Arbitrum');
    expect(poolName('1:USDC')).toBe('1:USDC');
    expect(poolName('0x70d95587d40A2caf56bd97485aB3Eec10Bee6336')).toBe('0x70d9…6336');
    expect(poolName(null)).toBe('');
  });
});

describe('who lists a market', () => {
  it('is counted, but for venues in trouble', () => {
    const live = [
      ['dydx', venue('live')],
      ['gmx', venue('live')],
    ] as const;
    expect(listedWords(live, 3)).toBe('2 venues, 3 pools');
    expect(listedWords([['dydx', venue('live')]], 0)).toBe('dYdX only');
    expect(listedWords([['gmx', venue('live')]], 1)).toBe('GMX only, 1 pool');
    expect(listedWords([...live, ['gains', venue('stale')]], 3)).toBe('Gains stale');
    expect(listedWords([], 0)).toBe('');
  });
});

describe('the banner', () => {
  it('says plainly that prices are not live', () => {
    expect(linkWords('disconnected')?.title).toBe('Disconnected – prices are not live');
    for (const state of ['silent', 'feed_stopped', 'old_feed'] as const) {
      expect(linkWords(state)?.title).toBe('Feed silent – prices are not live');
    }
    expect(linkWords('live')).toBeNull();
  });
});
