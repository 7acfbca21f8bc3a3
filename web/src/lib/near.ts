/** Tells which rows of the board are on the screen or close to it. */

import { live } from './live.svelte';

const MARGIN = '300px';

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const market = (entry.target as HTMLElement).dataset['market'];
      if (market !== undefined) live.near(market, entry.isIntersecting);
    }
  },
  { rootMargin: MARGIN },
);

/** An attachment of a row; after the row is gone its market counts as far away. */
export function watchNear(market: string): (row: Element) => () => void {
  return (row) => {
    observer.observe(row);
    return () => {
      observer.unobserve(row);
      live.near(market, false);
    };
  };
}
