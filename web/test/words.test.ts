import { describe, expect, it } from 'vitest';
import { linkWords, marketHealth, reasonWords, venueReason } from '../src/lib/words';
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
    expect(reasonWords('STALE')).toBe('its last price is too old');
    expect(reasonWords('GAP: 3 messages missing')).toBe('messages are missing: 3 messages missing');
    expect(reasonWords('SOME_NEW_CODE')).toBe('some new code');
    expect(reasonWords('the chain has halted')).toBe('the chain has halted');
    expect(reasonWords(null)).toBe('');
  });

  it('leave addresses out and keep several apart', () => {
    expect(reasonWords('UNREACHABLE: ws://host:1/x: refused')).toBe('the venue cannot be reached');
    expect(reasonWords('NO_SNAPSHOT: 3 of 287 markets; OUTLIER: 1 of 287 markets')).toBe(
      'waiting for its order book: 3 of 287 markets; its price is far from the reference price: 1 of 287 markets',
    );
  });

  it('of a venue fall back on its state', () => {
    expect(venueReason(venue('halted'))).toBe('the venue has halted trading');
    expect(venueReason(venue('live'))).toBe('');
    expect(venueReason(venue('live', 'NO_SNAPSHOT: 1 of 9 markets'))).toContain('1 of 9 markets');
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
