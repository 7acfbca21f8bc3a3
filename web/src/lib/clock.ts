/**
 * The server's clock, from the times it sends. The network only ever delays a heartbeat, so the largest
 * difference of the recent ones is the nearest to the truth.
 */

const KEPT = 30;
const STEP_US = 1_500_000;

export class ServerClock {
  #samples: number[] = [];

  /** `localUs`: a monotonic local time, the same one that `nowUs` is asked with. */
  sample(serverUs: number, localUs: number): void {
    const offset = serverUs - localUs;
    const best = this.offsetUs;
    // Far below the best one: one of the clocks was set, the old samples say nothing any more.
    if (best !== null && best - offset > STEP_US) this.#samples = [];
    this.#samples.push(offset);
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  get offsetUs(): number | null {
    return this.#samples.length === 0 ? null : Math.max(...this.#samples);
  }

  /** Server time, or null before the first sample. */
  nowUs(localUs: number): number | null {
    const offset = this.offsetUs;
    return offset === null ? null : Math.round(localUs + offset);
  }
}
