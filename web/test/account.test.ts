import { describe, expect, it } from 'vitest';
import { AccountRoom } from '../src/lib/trade/account';

function event(seq: number, data: Record<string, unknown>, type = 'update') {
  return { type, room: 'account', seq, epoch: 1, cause: 'status', data };
}

/** A room, what it told, and a server that answers from a list. */
function opened(...answers: unknown[]) {
  const told: string[] = [];
  const asked: [string, unknown][] = [];
  const room = new AccountRoom({
    event: (data) => told.push(`event ${String(data['order_id'])}`),
    reread: () => told.push('reread'),
    joined: (isJoined) => told.push(isJoined ? 'joined' : 'left'),
    refused: () => told.push('refused'),
  });
  const call = async (name: string, argument: unknown): Promise<unknown> => {
    asked.push([name, argument]);
    return answers.shift() ?? null;
  };
  return { room, told, asked, call };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
const OK = { ok: true, rooms: {} };
const SNAPSHOT = { ok: true, rooms: { account: event(7, { kind: 'snapshot' }, 'snapshot') } };

describe('the account room', () => {
  it('is joined with a snapshot and then resumed from the last event', async () => {
    const { room, told, asked, call } = opened(OK, SNAPSHOT, OK, OK);
    room.setToken('t');
    room.connected(call);
    await settled();
    room.take(event(8, { kind: 'order', order_id: 'a' }));
    room.take(event(8, { kind: 'order', order_id: 'a' }));
    room.disconnected();
    room.connected(call);
    await settled();
    expect(asked).toEqual([
      ['authenticate', { token: 't' }],
      ['subscribe', { rooms: ['account'] }],
      ['authenticate', { token: 't' }],
      ['resume', { room: 'account', last_seq: 8 }],
    ]);
    expect(told).toEqual(['reread', 'joined', 'event a', 'left', 'joined']);
  });

  it('reads anew after a gap', async () => {
    const gap = { ok: false, errors: [{ code: 'GAP' }], rooms: SNAPSHOT.rooms };
    const { room, told, call } = opened(OK, SNAPSHOT, OK, gap);
    room.setToken('t');
    room.connected(call);
    await settled();
    room.connected(call);
    await settled();
    expect(told).toEqual(['reread', 'joined', 'reread', 'joined']);
  });

  it('asks for another token when this one is no good', async () => {
    const { room, told, call } = opened({ ok: false, errors: [{ code: 'TOKEN_EXPIRED' }] });
    room.setToken('t');
    room.connected(call);
    await settled();
    expect(told).toEqual(['left', 'refused']);
  });

  it('forgets everything with the session', async () => {
    const { room, told, asked, call } = opened(OK, SNAPSHOT);
    room.setToken('t');
    room.connected(call);
    await settled();
    room.setToken(null);
    room.take(event(9, { kind: 'order', order_id: 'b' }));
    expect(told).toEqual(['reread', 'joined', 'left']);
    expect(asked.at(-1)).toEqual(['unsubscribe', { rooms: ['account'] }]);
  });
});
