/** What stays when views change or the page is loaded again. */

import { INTERVALS, type Interval } from './candles';
import type { Sort, Tab } from './order';

const FAVOURITES_KEY = 'perptape.favourites';

function readFavourites(): ReadonlySet<string> {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(FAVOURITES_KEY) ?? '[]');
    if (!Array.isArray(list)) return new Set();
    return new Set(list.filter((item): item is string => typeof item === 'string'));
  } catch {
    return new Set();
  }
}

class Favourites {
  markets = $state.raw<ReadonlySet<string>>(readFavourites());

  constructor() {
    // Another tab changed them.
    window.addEventListener('storage', (event) => {
      if (event.key === FAVOURITES_KEY) this.markets = readFavourites();
    });
  }

  toggle(market: string): void {
    const next = new Set(this.markets);
    if (!next.delete(market)) next.add(market);
    this.markets = next;
    try {
      localStorage.setItem(FAVOURITES_KEY, JSON.stringify([...next]));
    } catch {
      // Storage is refused: they last as long as the page.
    }
  }
}

export const favourites = new Favourites();

const INTERVAL_KEY = 'perptape.interval';

function readInterval(): Interval {
  try {
    const kept = localStorage.getItem(INTERVAL_KEY);
    return INTERVALS.find((name) => name === kept) ?? '1m';
  } catch {
    return '1m';
  }
}

/** What the chart shows, the same for every market. `venue`: null is the best of all. */
class ChartChoice {
  interval = $state<Interval>(readInterval());
  venue = $state<string | null>(null);

  setInterval(interval: Interval): void {
    this.interval = interval;
    try {
      localStorage.setItem(INTERVAL_KEY, interval);
    } catch {
      // Storage is refused: it lasts as long as the page.
    }
  }
}

export const chartChoice = new ChartChoice();

/** The board as it was left, for the way back. */
class BoardState {
  query = $state('');
  sort = $state.raw<Sort | null>(null);
  tab = $state<Tab>('all');
  active = $state.raw<string | null>(null);
  scroll = 0;
  /** Set by the `/` key in the market view. */
  focusSearch = false;
}

export const board = new BoardState();
