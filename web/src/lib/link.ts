/** Whether what the page holds may be shown as live. Pure: events and a clock go in. */

import type { Heartbeat } from './wire';

export type LinkState =
  | 'connecting'
  | 'disconnected'
  | 'silent' // connected, but the server's heartbeat is missing
  | 'feed_stopped' // the server beats, the price feed behind it does not
  | 'old_feed' // the server follows a feed that was replaced
  | 'live';

export const HEARTBEAT_LOST_MS = 3_000;
export const FEED_LOST_US = 2_000_000;
export const FIRST_CONNECT_MS = 3_000;
/** One may have been overtaken by the first envelope of a new feed. */
const OLD_BEATS = 2;
/** A connection without a heartbeat for so long is given up and made anew. */
export const GIVE_UP_MS = 12_000;

export class Link {
  #startedMs: number;
  #connectedMs: number | null = null;
  #failed = false;
  #beat: Heartbeat | null = null;
  #beatMs = 0;
  #oldBeats = 0;

  constructor(nowMs: number) {
    this.#startedMs = nowMs;
  }

  connected(nowMs: number): void {
    this.#connectedMs = nowMs;
    this.#beat = null;
    this.#oldBeats = 0;
  }

  disconnected(): void {
    this.#connectedMs = null;
    this.#beat = null;
    this.#failed = true;
  }

  /** `epoch`: the highest epoch seen in an envelope before this heartbeat. */
  heartbeat(beat: Heartbeat, nowMs: number, epoch: number): void {
    this.#oldBeats = beat.epoch !== null && beat.epoch < epoch ? this.#oldBeats + 1 : 0;
    this.#beat = beat;
    this.#beatMs = nowMs;
  }

  /** How long the server has been silent on this connection; null without a connection. */
  silentMs(nowMs: number): number | null {
    if (this.#connectedMs === null) return null;
    return nowMs - (this.#beat === null ? this.#connectedMs : this.#beatMs);
  }

  state(nowMs: number): LinkState {
    const silent = this.silentMs(nowMs);
    if (silent === null) {
      const early = !this.#failed && nowMs - this.#startedMs < FIRST_CONNECT_MS;
      return early ? 'connecting' : 'disconnected';
    }
    if (silent > HEARTBEAT_LOST_MS) return 'silent';
    const beat = this.#beat;
    if (beat === null) return 'live';
    if (beat.feed_us === null || beat.ts_us - beat.feed_us > FEED_LOST_US) return 'feed_stopped';
    if (this.#oldBeats >= OLD_BEATS) return 'old_feed';
    return 'live';
  }
}
