/** What stays when views change or the page is loaded again. */

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
