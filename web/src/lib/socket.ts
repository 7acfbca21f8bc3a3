/**
 * The Socket.IO connection: keeps the wanted rooms joined across reconnects and hands on what arrives.
 * Decides nothing about the content.
 */

import { io, type Socket } from 'socket.io-client';
import { isRecord, type RoomError } from './wire';

export type Rate = 'max' | 1 | 4 | 10 | 20;

export interface SocketEvents {
  connected(first: boolean): void;
  disconnected(): void;
  envelope(raw: unknown): void;
  /** The state of a room just joined; false when it is no good and must be asked for again. */
  state(room: string, raw: unknown): boolean;
  heartbeat(raw: unknown): void;
  roomError(error: RoomError): void;
  /** Of the private room. */
  account(raw: unknown): void;
  /** The server took the socket out of the private room. */
  unauthenticated(): void;
}

const ROOM_EVENTS = [
  'price',
  'prices',
  'venues',
  'trades',
  'candles',
  'ladder',
  'funding',
] as const;
const ACK_TIMEOUT_MS = 5_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;
const BEHIND_MAX_MS = 4_000;

function jittered(delayMs: number): number {
  return delayMs * (0.5 + Math.random());
}

interface Wanted {
  rate: Rate;
  attempts: number;
  timer: number | undefined;
}

export class TapeSocket {
  #socket: Socket;
  #events: SocketEvents;
  #wanted = new Map<string, Wanted>();
  #connectedBefore = false;
  #reopenAttempts = 0;
  #reopenTimer: number | undefined;

  constructor(events: SocketEvents) {
    this.#events = events;
    this.#socket = io({
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      reconnectionDelay: 300,
      reconnectionDelayMax: 8_000,
      randomizationFactor: 0.5,
      timeout: 8_000,
    });
    this.#socket.on('connect', () => this.#onConnect());
    this.#socket.on('disconnect', (reason) => {
      this.#events.disconnected();
      // The library leaves a connection closed by the server closed.
      if (reason === 'io server disconnect') this.#reopen();
    });
    this.#socket.on('connect_error', () => {
      this.#events.disconnected();
      if (!this.#socket.active) this.#reopen();
    });
    for (const event of ROOM_EVENTS) {
      this.#socket.on(event, (raw: unknown) => this.#events.envelope(raw));
    }
    this.#socket.on('account', (raw: unknown) => this.#events.account(raw));
    this.#socket.on('unauthenticated', () => this.#events.unauthenticated());
    this.#socket.on('heartbeat', (raw: unknown) => this.#events.heartbeat(raw));
  }

  join(room: string, rate: Rate): void {
    if (this.#wanted.has(room)) return;
    this.#wanted.set(room, { rate, attempts: 0, timer: undefined });
    if (this.#socket.connected) void this.#subscribe([room], rate);
  }

  leave(room: string): void {
    const wanted = this.#wanted.get(room);
    if (wanted === undefined) return;
    window.clearTimeout(wanted.timer);
    this.#wanted.delete(room);
    if (this.#socket.connected)
      this.#socket.emit('unsubscribe', { rooms: [room] }, () => undefined);
  }

  /** Asks for the whole state of a joined room again. */
  refresh(room: string): void {
    const wanted = this.#wanted.get(room);
    if (wanted === undefined || wanted.timer !== undefined || !this.#socket.connected) return;
    this.#retry(room, wanted, BEHIND_MAX_MS);
  }

  /** An event with its answer; null when there is none on this connection. */
  async call(event: string, argument: unknown): Promise<unknown> {
    try {
      return (await this.#socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, argument)) as unknown;
    } catch {
      return null;
    }
  }

  /** Gives up a connection that has gone quiet; a new one is made at once. */
  renew(): void {
    window.clearTimeout(this.#reopenTimer);
    this.#socket.disconnect();
    this.#socket.connect();
  }

  #onConnect(): void {
    const first = !this.#connectedBefore;
    this.#connectedBefore = true;
    this.#reopenAttempts = 0;
    this.#events.connected(first);
    const byRate = new Map<Rate, string[]>();
    for (const [room, wanted] of this.#wanted) {
      window.clearTimeout(wanted.timer);
      wanted.timer = undefined;
      wanted.attempts = 0;
      const rooms = byRate.get(wanted.rate) ?? [];
      rooms.push(room);
      byRate.set(wanted.rate, rooms);
    }
    for (const [rate, rooms] of byRate) void this.#subscribe(rooms, rate);
  }

  async #subscribe(rooms: string[], rate: Rate): Promise<void> {
    const connection = this.#socket.id;
    const answer = await this.call('subscribe', { rooms, rate });
    // The answer of an earlier connection says nothing about this one.
    if (this.#socket.id !== connection || !this.#socket.connected) return;
    const states = isRecord(answer) && isRecord(answer['rooms']) ? answer['rooms'] : {};
    const errors = isRecord(answer) && Array.isArray(answer['errors']) ? answer['errors'] : [];
    for (const error of errors as unknown[]) {
      if (!isRecord(error)) continue;
      const code = String(error['code'] ?? '');
      const message = String(error['message'] ?? '');
      // An error without a room is about the whole request.
      for (const room of typeof error['room'] === 'string' ? [error['room']] : rooms) {
        if (this.#wanted.has(room)) this.#events.roomError({ room, code, message });
      }
    }
    for (const room of rooms) {
      const wanted = this.#wanted.get(room);
      if (wanted === undefined) continue;
      if (!Object.hasOwn(states, room)) this.#retry(room, wanted, RETRY_MAX_MS);
      else if (!this.#events.state(room, states[room])) this.#retry(room, wanted, BEHIND_MAX_MS);
      else wanted.attempts = 0;
    }
  }

  #retry(room: string, wanted: Wanted, maxMs: number): void {
    const delay = Math.min(maxMs, RETRY_FIRST_MS * 2 ** wanted.attempts);
    wanted.attempts += 1;
    window.clearTimeout(wanted.timer);
    wanted.timer = window.setTimeout(() => {
      wanted.timer = undefined;
      const current = this.#wanted.get(room) === wanted;
      if (current && this.#socket.connected) void this.#subscribe([room], wanted.rate);
    }, jittered(delay));
  }

  #reopen(): void {
    const delay = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#reopenAttempts);
    this.#reopenAttempts += 1;
    window.clearTimeout(this.#reopenTimer);
    this.#reopenTimer = window.setTimeout(() => this.#socket.connect(), jittered(delay));
  }
}
