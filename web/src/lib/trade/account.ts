/**
 * The private room of an account: joined again on every connection from the last event on, so that
 * nothing is missed. Knows nothing of what the events mean.
 */

import { asEnvelope, isRecord, type Envelope } from '../wire';

/** An event with its answer; null when none came. */
export type Call = (event: string, argument: unknown) => Promise<unknown>;

export interface AccountEvents {
  /** In order, each once. */
  event(data: Record<string, unknown>): void;
  /** Something was missed or never known: what stands has to be read. */
  reread(): void;
  /** Events come from now on, or do not. */
  joined(isJoined: boolean): void;
  /** The token is no good any more; `setToken` with another one. */
  refused(): void;
}

const RETRY_MS = 2_000;
const BEFORE_TOKEN = ['TOKEN_EXPIRED', 'TOKEN_INVALID', 'SESSION_ENDED', 'UNAUTHENTICATED'];

export class AccountRoom {
  #events: AccountEvents;
  #call: Call | null = null;
  #token: string | null = null;
  #lastSeq: number | null = null;
  /** A connection or a token later, what is under way no longer counts. */
  #round = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(events: AccountEvents) {
    this.#events = events;
  }

  connected(call: Call): void {
    this.#call = call;
    void this.#join();
  }

  disconnected(): void {
    this.#call = null;
    this.#round += 1;
    this.#events.joined(false);
  }

  setToken(token: string | null): void {
    if (token === null) {
      this.#lastSeq = null;
      this.#events.joined(false);
      if (this.#token !== null && this.#call !== null) {
        void this.#call('unsubscribe', { rooms: ['account'] });
      }
    }
    this.#token = token;
    void this.#join();
  }

  /** The server took the socket out of the room. */
  unauthenticated(): void {
    this.#events.joined(false);
    this.#events.refused();
  }

  take(raw: unknown): void {
    const envelope = asEnvelope(raw) as Envelope<Record<string, unknown>> | null;
    if (envelope === null || this.#token === null) return;
    const { seq, data } = envelope;
    if (data['kind'] === 'snapshot') {
      this.#lastSeq = seq;
      this.#events.reread();
      return;
    }
    if (this.#lastSeq !== null && seq <= this.#lastSeq) return;
    this.#lastSeq = seq;
    this.#events.event(data);
  }

  async #join(): Promise<void> {
    clearTimeout(this.#timer);
    this.#round += 1;
    const round = this.#round;
    const [call, token] = [this.#call, this.#token];
    if (call === null || token === null) return;
    const known = await call('authenticate', { token });
    if (round !== this.#round) return;
    if (!accepted(known)) return this.#failed(known);
    const answer =
      this.#lastSeq === null
        ? await call('subscribe', { rooms: ['account'] })
        : await call('resume', { room: 'account', last_seq: this.#lastSeq });
    if (round !== this.#round) return;
    const rooms = isRecord(answer) && isRecord(answer['rooms']) ? answer['rooms'] : {};
    if (!accepted(answer) && codeOf(answer) !== 'GAP') return this.#failed(answer);
    if (rooms['account'] !== undefined) this.take(rooms['account']);
    this.#events.joined(true);
  }

  #failed(answer: unknown): void {
    this.#events.joined(false);
    if (BEFORE_TOKEN.includes(codeOf(answer))) this.#events.refused();
    else this.#timer = setTimeout(() => void this.#join(), RETRY_MS);
  }
}

function accepted(answer: unknown): boolean {
  return isRecord(answer) && answer['ok'] === true;
}

function codeOf(answer: unknown): string {
  const errors = isRecord(answer) && Array.isArray(answer['errors']) ? answer['errors'] : [];
  const first: unknown = errors[0];
  return isRecord(first) ? String(first['code']) : '';
}
