import { describe, expect, it } from 'vitest';
import { MAX_TRADES, TapeStore } from '../src/lib/store';
import type { BoardQuote, Trade } from '../src/lib/wire';

function quote(bid: string | null, ask: string | null): BoardQuote {
  return {
    bid,
    ask,
    bid_venue: bid === null ? null : 'dydx',
    ask_venue: ask === null ? null : 'dydx',
    spread_bps: null,
    crossed: false,
    change_24h: 0.01,
  };
}

function envelope(
  type: 'snapshot' | 'update',
  room: string,
  seq: number,
  data: unknown,
  epoch = 10,
  cause = 'frame',
): Record<string, unknown> {
  const received_us = seq * 1_000;
  return { type, room, seq, epoch, cause, received_us, published_us: received_us + 1, data };
}

function prices(
  type: 'snapshot' | 'update',
  seq: number,
  data: Record<string, BoardQuote>,
  epoch = 10,
): Record<string, unknown> {
  return envelope(type, 'prices', seq, data, epoch);
}

function bid(store: TapeStore, market: string): string | null | undefined {
  return store.board.get(market)?.quote.bid;
}

describe('the board', () => {
  it('takes a snapshot whole and merges the changed markets of an update', () => {
    const store = new TapeStore();
    expect(store.apply(prices('snapshot', 1, { A: quote('1', '2'), B: quote('3', '4') }))).toBe(
      'applied',
    );
    store.apply(prices('update', 2, { B: quote('5', '6') }));
    expect(bid(store, 'A')).toBe('1');
    expect(bid(store, 'B')).toBe('5');
    expect(store.board.get('A')?.seq).toBe(1);
    expect(store.board.get('B')?.seq).toBe(2);
    store.apply(prices('snapshot', 3, { A: quote('7', '8') }));
    expect([...store.board.keys()]).toEqual(['A']);
  });

  it('keeps the very strings that were sent', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 1, { A: quote('0.000000123456789012345678', '97013') }));
    expect(bid(store, 'A')).toBe('0.000000123456789012345678');
  });

  it('tells what changed, once', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 1, { A: quote('1', '2'), B: quote('3', '4') }));
    const first = store.takeChanges();
    expect([...first.markets].sort()).toEqual(['A', 'B']);
    expect(first.listChanged).toBe(true);
    store.apply(prices('update', 2, { B: quote('5', '6') }));
    const second = store.takeChanges();
    expect([...second.markets]).toEqual(['B']);
    expect(second.listChanged).toBe(false);
    expect(store.takeChanges().markets.size).toBe(0);
  });

  it('knows since when a price stands, and whether it saw the change', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 1, { A: quote('1', '2') }));
    expect(store.board.get('A')).toMatchObject({ changedUs: 1_001, changeSeen: false });
    store.apply(prices('update', 5, { A: quote('1', '3') }));
    expect(store.board.get('A')).toMatchObject({ changedUs: 5_000, changeSeen: true });
    store.apply(prices('snapshot', 9, { A: quote('1', '3') }));
    expect(store.board.get('A')).toMatchObject({ changedUs: 5_000, changeSeen: true });
  });
});

describe('seq and epoch', () => {
  it('drops a lower seq of the same epoch and applies an equal one', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 5, { A: quote('1', '2') }));
    expect(store.apply(prices('update', 4, { A: quote('9', '9') }))).toBe('older');
    expect(bid(store, 'A')).toBe('1');
    expect(store.apply(prices('update', 5, { A: quote(null, null) }))).toBe('applied');
    expect(bid(store, 'A')).toBeNull();
  });

  it('drops a lower epoch whatever its seq', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 5, { A: quote('1', '2') }, 11));
    expect(store.apply(prices('snapshot', 99, { A: quote('9', '9') }, 10))).toBe('older');
    expect(bid(store, 'A')).toBe('1');
    expect(store.epoch).toBe(11);
  });

  it('counts every room by itself', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 50, { A: quote('1', '2') }));
    expect(store.apply(envelope('snapshot', 'venues', 3, { dydx: {} }))).toBe('applied');
  });

  it('shows no price of an old epoch beside a new one, and asks for the whole', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 50, { A: quote('1', '2'), B: quote('3', '4') }));
    expect(store.apply(prices('update', 2, { A: quote('5', '6') }, 11))).toBe('gap');
    expect(bid(store, 'A')).toBe('5');
    expect(bid(store, 'B')).toBeNull();
    expect(store.apply(prices('snapshot', 2, { A: quote('5', '6'), B: quote('7', '8') }, 11))).toBe(
      'applied',
    );
    expect(bid(store, 'B')).toBe('7');
  });

  it('refuses what is no envelope', () => {
    const store = new TapeStore();
    for (const raw of [
      null,
      'x',
      {},
      [],
      { ...prices('update', 1, {}), seq: '1' },
      { ...prices('update', 1, {}), data: null },
    ]) {
      expect(store.apply(raw)).toBe('invalid');
    }
    expect(store.apply(envelope('update', 'unknown:A', 1, {}))).toBe('invalid');
    expect(store.apply(envelope('update', 'trades:A', 1, {}))).toBe('invalid');
  });
});

describe('what a connection has confirmed', () => {
  it('ends with the connection and comes back with the state', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 5, { A: quote('1', '2') }));
    expect(store.isConfirmed('prices')).toBe(true);
    store.disconnect();
    expect(store.isConfirmed('prices')).toBe(false);
    expect(store.takeChanges().rooms.has('prices')).toBe(true);
    store.apply(prices('snapshot', 5, { A: quote('1', '2') }));
    expect(store.isConfirmed('prices')).toBe(true);
  });

  it('is not the board after an update alone: other rows may have changed unseen', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 5, { A: quote('1', '2'), B: quote('3', '4') }));
    store.disconnect();
    expect(store.apply(prices('snapshot', 3, { A: quote('0', '0') }))).toBe('older');
    store.apply(prices('update', 8, { A: quote('5', '6') }));
    expect(store.isConfirmed('prices')).toBe(false);
    store.apply(prices('snapshot', 8, { A: quote('5', '6'), B: quote('7', '8') }));
    expect(store.isConfirmed('prices')).toBe(true);
    expect(bid(store, 'B')).toBe('7');
  });

  it('is a market after any envelope: each carries the whole state', () => {
    const store = new TapeStore();
    store.apply(envelope('snapshot', 'price:A', 5, { bid: '1' }));
    store.disconnect();
    expect(store.apply(envelope('snapshot', 'price:A', 4, { bid: '9' }))).toBe('older');
    expect(store.isConfirmed('price:A')).toBe(false);
    store.apply(envelope('update', 'price:A', 6, { bid: '2' }));
    expect(store.isConfirmed('price:A')).toBe(true);
  });

  it('takes what a server says that has no seq of a feed yet, on a new connection only', () => {
    const store = new TapeStore();
    store.apply(prices('snapshot', 5, { A: quote('1', '2') }));
    expect(store.apply(prices('snapshot', 0, {}))).toBe('older');
    store.disconnect();
    expect(store.apply(prices('snapshot', 0, {}))).toBe('applied');
    expect(store.board.size).toBe(0);
    expect(store.apply(prices('update', 6, { A: quote('3', '4') }))).toBe('applied');
  });

  it('forgets a room that was left', () => {
    const store = new TapeStore();
    store.apply(envelope('snapshot', 'price:A', 5, { bid: '1' }));
    store.forget('price:A');
    expect(store.isConfirmed('price:A')).toBe(false);
    expect(store.prices.has('A')).toBe(false);
    expect(store.apply(envelope('snapshot', 'price:A', 4, { bid: '1' }))).toBe('applied');
  });
});

describe('trades', () => {
  function trade(id: number, time_us: number): Trade {
    return { venue: 'dydx', id: String(id), price: '1', size: '1', side: 'BUY', time_us };
  }

  function ids(store: TapeStore): string[] {
    return (store.trades.get('A') ?? []).map((item) => item.id);
  }

  it('stand newest first, without doubles, also where many share one time', () => {
    const store = new TapeStore();
    store.apply(envelope('snapshot', 'trades:A', 1, [trade(1, 10), trade(2, 20), trade(3, 20)]));
    store.apply(envelope('update', 'trades:A', 2, [trade(3, 20), trade(4, 20), trade(5, 30)]));
    expect(ids(store)).toEqual(['5', '4', '3', '2', '1']);
  });

  it('are kept up to a bound', () => {
    const store = new TapeStore();
    for (let i = 1; i <= 2 * MAX_TRADES; i += 1) {
      store.apply(envelope('update', 'trades:A', i, [trade(i, i)]));
    }
    expect(ids(store)).toHaveLength(MAX_TRADES);
    expect(ids(store)[0]).toBe(String(2 * MAX_TRADES));
  });

  it('stay true when a new server knows none of them', () => {
    const store = new TapeStore();
    store.apply(envelope('snapshot', 'trades:A', 7, [trade(1, 10)]));
    store.disconnect();
    store.apply(envelope('snapshot', 'trades:A', 3, []));
    expect(store.isConfirmed('trades:A')).toBe(true);
    expect(ids(store)).toEqual(['1']);
  });
});

describe('rooms that are shown as they are', () => {
  it.each(['candles:A:1m', 'ladder:A'])('%s holds the whole of the last envelope', (room) => {
    const store = new TapeStore();
    store.apply(envelope('snapshot', room, 5, { a: 1 }));
    store.apply(envelope('update', room, 6, { b: 2 }));
    expect(store.rooms.get(room)).toEqual({ data: { b: 2 }, seq: 6, epoch: 10 });
    expect(store.apply(envelope('update', room, 4, { c: 3 }))).toBe('older');
    expect(store.isConfirmed(room)).toBe(true);
    store.forget(room);
    expect(store.rooms.has(room)).toBe(false);
  });
});

describe('funding', () => {
  const row = (per_hour: string): Record<string, unknown> => ({ dydx: { per_hour } });

  it('merges the markets that changed and drops those that are gone', () => {
    const store = new TapeStore();
    store.apply(envelope('snapshot', 'funding', 1, { A: row('1'), B: row('2') }));
    store.apply(envelope('update', 'funding', 2, { B: row('3'), A: {} }));
    expect([...store.funding]).toEqual([['B', row('3')]]);
  });

  it('is confirmed by a snapshot alone, and asks for one in a new epoch', () => {
    const store = new TapeStore();
    store.apply(envelope('snapshot', 'funding', 5, { A: row('1'), B: row('2') }));
    store.disconnect();
    store.apply(envelope('update', 'funding', 6, { A: row('9') }));
    expect(store.isConfirmed('funding')).toBe(false);
    expect(store.apply(envelope('update', 'funding', 1, { A: row('7') }, 11))).toBe('gap');
    expect([...store.funding.keys()]).toEqual(['A']);
  });
});
