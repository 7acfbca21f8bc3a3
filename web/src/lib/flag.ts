/** What is said below the best bid and ask: never nothing, so that the page keeps its height. */

import { venueName, venueNames } from './words';
import type { PriceData } from './wire';

export interface Flag {
  tone: 'good' | 'warn' | 'none';
  /** Null where the words are not about a price. */
  field: string | null;
  title: string;
  text: string;
}

/** `why`: reasons of the venues, used where there is no price. */
export function priceFlag(data: PriceData, why: string): Flag {
  const { bid, ask, bid_venue: buyer, ask_venue: seller } = data;
  if (bid === null && ask === null) {
    return { tone: 'none', field: 'no_price', title: 'No live price', text: why };
  }
  if (data.quality.disagree === true) {
    return {
      tone: 'warn',
      field: 'disagree',
      title: 'Two venues disagree',
      text: `${venueNames(comparedVenues(data))} are too far apart for both to be right, and there is no third to tell`,
    };
  }
  if (bid === null) {
    return { tone: 'warn', field: 'one_sided', title: 'No bid', text: 'Nobody buys now' };
  }
  if (ask === null) {
    return { tone: 'warn', field: 'one_sided', title: 'No ask', text: 'Nobody sells now' };
  }
  if (data.crossed) {
    return { tone: 'warn', field: 'crossed', title: 'Crossed', text: crossedWords(data) };
  }
  const text =
    buyer === seller
      ? `${venueName(buyer ?? '')} pays most and asks least`
      : `${venueName(buyer ?? '')} pays most, ${venueName(seller ?? '')} asks least`;
  return { tone: 'good', field: 'best', title: 'Live', text };
}

function comparedVenues(data: PriceData): string[] {
  return Object.keys(data.venues).filter((venue) => data.venues[venue]?.state === 'live');
}

function crossedWords(data: PriceData): string {
  const { bid_venue: buyer, ask_venue: seller } = data;
  if (buyer === seller) return 'The bid is above the ask at the same venue';
  return `${venueName(buyer ?? '')} pays more than ${venueName(seller ?? '')} asks, before fees: venues do not move at the same moment`;
}
