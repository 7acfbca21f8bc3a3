/** Hash routes: `#/` is the board, `#/m/BTC-USD` a market, `#/funding` the funding of all. */

const MARKET = /^#\/m\/([A-Za-z0-9.%_-]{1,60})$/;

export function marketOf(hash: string): string | null {
  const match = MARKET.exec(hash)?.[1];
  if (match === undefined) return null;
  try {
    return decodeURIComponent(match).toUpperCase();
  } catch {
    return null;
  }
}

export function marketHref(market: string): string {
  return `#/m/${encodeURIComponent(market)}`;
}

const FUNDING_HREF = '#/funding';

class Route {
  market = $state.raw<string | null>(marketOf(location.hash));
  funding = $state(location.hash === FUNDING_HREF);
  /** The board is behind this view in the history. */
  #fromBoard = false;
  #leaving: ((market: string | null) => void) | null = null;

  start(leaving: (market: string | null) => void): void {
    this.#leaving = leaving;
    history.scrollRestoration = 'manual';
    window.addEventListener('hashchange', () => {
      const next = marketOf(location.hash);
      this.funding = location.hash === FUNDING_HREF;
      if (next === this.market) return;
      this.#fromBoard = this.market === null && next !== null;
      this.#leaving?.(next);
      this.market = next;
    });
  }

  open(market: string): void {
    location.hash = marketHref(market);
  }

  back(): void {
    if (this.#fromBoard) history.back();
    else location.hash = '#/';
  }
}

export const route = new Route();
