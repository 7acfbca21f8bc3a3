import { describe, expect, it } from 'vitest';
import { ServerClock } from '../src/lib/clock';
import { FEED_LOST_US, HEARTBEAT_LOST_MS, Link } from '../src/lib/link';
import { asHeartbeat, type Heartbeat } from '../src/lib/wire';

function beat(feedAgeUs: number, epoch = 10): Heartbeat {
  const ts_us = 1_790_000_000_000_000;
  return { ts_us, feed_us: ts_us - feedAgeUs, epoch };
}

describe('the link', () => {
  it('is connecting at first, and disconnected when that takes long or fails', () => {
    expect(new Link(0).state(1_000)).toBe('connecting');
    expect(new Link(0).state(3_500)).toBe('disconnected');
    const failed = new Link(0);
    failed.disconnected();
    expect(failed.state(100)).toBe('disconnected');
  });

  it('is live while heartbeats come, silent without them', () => {
    const link = new Link(0);
    link.connected(100);
    expect(link.state(200)).toBe('live');
    link.heartbeat(beat(1_000), 1_000, 10);
    expect(link.state(1_000 + HEARTBEAT_LOST_MS)).toBe('live');
    expect(link.state(1_001 + HEARTBEAT_LOST_MS)).toBe('silent');
    link.heartbeat(beat(1_000), 6_000, 10);
    expect(link.state(6_000)).toBe('live');
  });

  it('is silent when a connection never brings a heartbeat', () => {
    const link = new Link(0);
    link.connected(100);
    expect(link.state(101 + HEARTBEAT_LOST_MS)).toBe('silent');
  });

  it('tells a feed that has stopped from a server that has', () => {
    const link = new Link(0);
    link.connected(0);
    link.heartbeat(beat(FEED_LOST_US), 100, 10);
    expect(link.state(100)).toBe('live');
    link.heartbeat(beat(FEED_LOST_US + 1), 200, 10);
    expect(link.state(200)).toBe('feed_stopped');
    link.heartbeat({ ts_us: 1, feed_us: null, epoch: null }, 300, 10);
    expect(link.state(300)).toBe('feed_stopped');
  });

  it('does not trust a server that keeps following a replaced feed', () => {
    const link = new Link(0);
    link.connected(0);
    link.heartbeat(beat(0, 9), 100, 9);
    link.heartbeat(beat(0, 9), 200, 10);
    expect(link.state(200)).toBe('live');
    link.heartbeat(beat(0, 9), 300, 10);
    expect(link.state(300)).toBe('old_feed');
    link.heartbeat(beat(0, 11), 400, 10);
    expect(link.state(400)).toBe('live');
  });

  it('forgets the heartbeat of a connection that ended', () => {
    const link = new Link(0);
    link.connected(0);
    link.heartbeat(beat(0), 100, 10);
    link.disconnected();
    expect(link.state(150)).toBe('disconnected');
    link.connected(9_000);
    expect(link.state(9_100)).toBe('live');
    expect(link.silentMs(9_100)).toBe(100);
  });

  it('reads heartbeats without a feed', () => {
    expect(asHeartbeat({ ts_us: 5, feed_us: null, epoch: null })).toEqual({
      ts_us: 5,
      feed_us: null,
      epoch: null,
    });
    expect(asHeartbeat({ ts_us: 5, feed_us: 0, epoch: 0 })?.feed_us).toBeNull();
    expect(asHeartbeat({})).toBeNull();
  });
});

describe('the server clock', () => {
  it('is unknown before the first sample and follows the least delayed one', () => {
    const clock = new ServerClock();
    expect(clock.nowUs(0)).toBeNull();
    clock.sample(1_000_000, 400_000);
    clock.sample(2_050_000, 1_400_000);
    clock.sample(3_010_000, 2_400_000);
    expect(clock.nowUs(3_000_000)).toBe(3_650_000);
  });

  it('starts over when a clock was set back', () => {
    const clock = new ServerClock();
    clock.sample(10_000_000, 0);
    clock.sample(3_000_000, 1_000_000);
    expect(clock.nowUs(1_000_000)).toBe(3_000_000);
  });
});
