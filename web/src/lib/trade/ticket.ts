/** What the ticket asks for, and what it says of routes and orders. Pure. */

import { numeric } from '../format';
import { chainName, venueName } from '../words';
import type { ExcludedRow, Need, Order, OrderStep, OrderType, Side } from './wire';

export interface Form {
  side: Side;
  type: OrderType;
  size: string;
  leverage: string;
  slippage: string;
  limit: string;
  trigger: string;
  takeProfit: string;
  stopLoss: string;
}

export const EMPTY_FORM: Form = {
  side: 'BUY',
  type: 'market',
  size: '1000',
  leverage: '5',
  slippage: '50',
  limit: '',
  trigger: '',
  takeProfit: '',
  stopLoss: '',
};

export type Field = Exclude<keyof Form, 'side' | 'type'>;
export type Faults = Partial<Record<Field, string>>;

const DECIMAL = /^\d{1,18}(?:\.\d{1,18})?$/;
const MAX_SLIPPAGE_BPS = 10_000;

/** `1,000.50` -> `1000.5`; null for what is no plain amount. */
export function plain(text: string): string | null {
  const bare = text.trim().replaceAll(/[,_\s]/g, '');
  if (!DECIMAL.test(bare)) return null;
  const [whole = '', part = ''] = bare.split('.');
  const digits = part.replace(/0+$/, '');
  return (whole.replace(/^0+(?=\d)/, '') || '0') + (digits === '' ? '' : `.${digits}`);
}

function shownFields(type: OrderType): Field[] {
  const prices: Field[] = type === 'limit' ? ['limit'] : type === 'stop' ? ['trigger'] : [];
  return ['size', 'leverage', ...prices, 'slippage'];
}

/** What is wrong, by field, in words. `mid`: of now, null where there is none. */
export function faults(form: Form, mid: string | null): Faults {
  const found: Faults = {};
  for (const field of shownFields(form.type)) {
    const value = plain(form[field]);
    if (form[field].trim() === '') found[field] = 'needed';
    else if (value === null) found[field] = 'a plain number';
    else if (value === '0' && field !== 'slippage') found[field] = 'more than 0';
  }
  if ((numeric(plain(form.slippage)) ?? 0) >= MAX_SLIPPAGE_BPS) found.slippage = 'less than 10000';
  for (const field of ['takeProfit', 'stopLoss'] as const) {
    if (form[field].trim() !== '' && plain(form[field]) === null) found[field] = 'a plain number';
  }
  return { ...exitFaults(form, mid), ...found };
}

/** Exits on the wrong side of the entry would close at once. */
function exitFaults(form: Form, mid: string | null): Faults {
  const said = form.type === 'limit' ? form.limit : form.type === 'stop' ? form.trigger : mid;
  const entry = numeric(plain(said ?? ''));
  if (entry === null) return {};
  const isLong = form.side === 'BUY';
  const [profit, loss] = [numeric(plain(form.takeProfit)), numeric(plain(form.stopLoss))];
  const found: Faults = {};
  if (profit !== null && profit > entry !== isLong) {
    found.takeProfit = isLong ? 'above the entry' : 'below the entry';
  }
  if (loss !== null && loss < entry !== isLong) {
    found.stopLoss = isLong ? 'below the entry' : 'above the entry';
  }
  return found;
}

/** Of `POST /v1/routes`; the form has no faults. */
export function routeBody(market: string, form: Form): Record<string, unknown> {
  const body: Record<string, unknown> = {
    market,
    side: form.side,
    intent: 'open',
    type: form.type,
    notional_usd: plain(form.size),
    leverage: plain(form.leverage),
    slippage_bps: plain(form.slippage),
  };
  if (form.type === 'limit') body['limit_price'] = plain(form.limit);
  if (form.type === 'stop') body['trigger_price'] = plain(form.trigger);
  if (form.takeProfit.trim() !== '') body['take_profit'] = plain(form.takeProfit);
  if (form.stopLoss.trim() !== '') body['stop_loss'] = plain(form.stopLoss);
  return body;
}

const SHARE_CHAINS = /^(\d+):/;

/** `USDC pool on Arbitrum`, `0x70d9…6336 on Arbitrum`. */
export function routePlace(place: Pick<ExcludedRow, 'chain_id' | 'pool'>): string {
  const pool = (place.pool ?? '').replace(SHARE_CHAINS, '');
  const short = pool.length > 16 ? `${pool.slice(0, 6)}…${pool.slice(-4)}` : pool;
  const chain = chainName(place.chain_id);
  return [short, chain].filter((part) => part !== '').join(' on ');
}

const COSTS: Readonly<Record<string, string>> = {
  fee: 'Venue fee',
  spread: 'Spread',
  impact: 'Price impact',
  gas: 'Gas',
  execution_fee: 'Keeper fee',
  funding: 'Funding',
  borrowing: 'Borrowing',
};

export function costName(code: string): string {
  return COSTS[code] ?? code.replaceAll('_', ' ');
}

/** Dollars with cents, or three digits of what is less; the sign is kept. */
export function dollars(value: string | null): string {
  const number = numeric(value);
  if (number === null) return '';
  const size = Math.abs(number);
  const text =
    size === 0 || size >= 0.1
      ? size.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
      : String(Number(size.toPrecision(2)));
  return `${number < 0 ? '−' : ''}$${text}`;
}

/** Digits that tell, cut and not rounded: what is signed is the whole string. */
export function cut(value: string | null, digits = 9): string {
  if (value === null) return '';
  const point = value.indexOf('.');
  if (point < 0) return value;
  const lead = value.slice(0, point).replace(/^-?0$/, '').length;
  const zeros = lead > 0 ? 0 : (/^0*/.exec(value.slice(point + 1))?.[0].length ?? 0);
  const keep = Math.max(0, digits - lead + zeros);
  return value.slice(0, point + 1 + keep).replace(/\.?0*$/, '');
}

const NEEDS: Readonly<Record<string, string>> = {
  ALLOWANCE: 'approval first',
  BALANCE: 'not enough balance',
  GAS: 'not enough gas money',
  LINK_WALLET: 'wallet to be linked',
};

export function needWords(need: Need): string {
  const words = NEEDS[need.code] ?? need.code.toLowerCase().replaceAll('_', ' ');
  if (need.code === 'ALLOWANCE' || need.needed == null || need.available == null) return words;
  return `${words}: ${cut(need.needed, 6)} ${need.symbol ?? ''} needed, ${cut(need.available, 6)} there`;
}

/** Blocks the order; an approval is asked for on the way. */
export function isBlocking(need: Need): boolean {
  return need.code !== 'ALLOWANCE';
}

export function excludedPlace(row: ExcludedRow): string {
  const place = routePlace(row);
  return place === '' ? venueName(row.venue) : `${venueName(row.venue)}, ${place}`;
}

const STATES: Readonly<Record<string, string>> = {
  accepted: 'Being prepared',
  prepared: 'Waits for your signature',
  submitted: 'Sent, not in a block yet',
  mined: 'In a block, waits for the venue',
  working: 'Resting at the venue',
  partially_filled: 'Partly filled',
  filled: 'Filled',
  cancelled: 'Cancelled',
  expired: 'Expired',
  rejected: 'Refused',
  unknown: 'Not known: being looked for',
  dead: 'Failed here',
};

export function stateWords(state: string): string {
  return STATES[state] ?? state;
}

export function stateTone(state: string): 'good' | 'wait' | 'bad' | 'off' {
  if (state === 'filled') return 'good';
  if (['rejected', 'dead', 'unknown'].includes(state)) return 'bad';
  return ['cancelled', 'expired'].includes(state) ? 'off' : 'wait';
}

/** Of a position, not of the trade: closing a long sells. */
export function orderTitle(order: Pick<Order, 'side' | 'intent' | 'type'>): string {
  if (order.intent === 'claim') return 'Claim';
  const reduces = order.intent === 'close' || order.intent === 'decrease';
  const isLong = (order.side === 'BUY') !== reduces;
  const type = order.type === 'market' ? '' : `, ${order.type.replaceAll('_', ' ')}`;
  return `${reduces ? 'Close' : 'Open'} ${isLong ? 'long' : 'short'}${type}`;
}

const STEPS: Readonly<Record<OrderStep['id'], string>> = {
  approve: 'Approve the collateral',
  order: 'Send the order',
  cancel: 'Send the cancel',
  update: 'Send the change',
};

export function stepName(step: Pick<OrderStep, 'id'>): string {
  return STEPS[step.id];
}

const STEP_STATES: Readonly<Record<OrderStep['status'], string>> = {
  ready: 'to be signed',
  blocked: 'after the step before',
  submitted: 'sent',
  done: 'done',
  expired: 'not needed any more',
  failed: 'failed',
};

export function stepState(step: Pick<OrderStep, 'status'>): string {
  return STEP_STATES[step.status];
}

/** What the wallet is asked next; null while there is nothing to sign. */
export function nextStep(
  order: Pick<Order, 'steps' | 'terminal' | 'cancel_requested'>,
): OrderStep | null {
  const ready = order.steps.filter((step) => step.status === 'ready' && step.tx != null);
  const ends = order.terminal || order.cancel_requested;
  return ready.find((step) => !ends || step.id === 'cancel') ?? null;
}

/** A cancel makes sense: nothing has ended it, and nobody has asked yet. */
export function canCancel(order: Pick<Order, 'terminal' | 'cancel_requested'>): boolean {
  return !order.terminal && !order.cancel_requested;
}

/**
 * Whether an order left a position that no newer one has closed, as far as the list tells. `list`:
 * newest first.
 */
export function canClose(order: Order, list: readonly Order[]): boolean {
  if (order.intent !== 'open' || order.filled_base === '0') return false;
  const newer = list.slice(0, Math.max(0, list.findIndex(({ id }) => id === order.id)));
  return !newer.some(
    (other) =>
      other.market === order.market &&
      other.venue === order.venue &&
      ((other.intent === 'close' && (!other.terminal || other.state === 'filled')) ||
        // One button for what all of them opened.
        (other.intent === 'open' && other.filled_base !== '0')),
  );
}
