/** Routes, quotes and orders as the server sends them. Amounts are decimal strings and stay strings. */

import type { StepTx } from './wallet';

export type Side = 'BUY' | 'SELL';
export type OrderType = 'market' | 'limit' | 'stop';

export interface CostLine {
  code: string;
  usd: string;
  bps: string;
  refundable_usd: string;
}

/** What the wallet lacks; amounts in units of `symbol`. */
export interface Need {
  code: string;
  symbol?: string | null;
  needed?: string | null;
  available?: string | null;
}

export interface RouteRow {
  route_id: string;
  venue: string;
  chain_id: number | string;
  pool: string | null;
  collateral: string;
  collateral_amount: string | null;
  size_base: string;
  notional_usd: string;
  expected_price: string;
  guard: { field: string; price: string | null; raw: string };
  costs: CostLine[];
  unknown_costs: string[];
  all_in_bps: string;
  total_cost_usd: string;
  liquidation_price: string | null;
  needs: Need[];
  /** False: nobody asked, or the chain did not answer in time. */
  needs_known: boolean;
}

export interface ExcludedRow {
  venue: string;
  chain_id: number | string | null;
  pool: string | null;
  code: string;
  message: string;
}

export interface Routes {
  as_of: string;
  best: string | null;
  routes: RouteRow[];
  excluded: ExcludedRow[];
}

export interface GuardedQuote {
  quote_id: string;
  expires_at: string;
  legs: RouteRow[];
}

export interface OrderStep {
  id: 'approve' | 'order' | 'cancel' | 'update';
  kind: string;
  version: number;
  status: 'ready' | 'blocked' | 'submitted' | 'done' | 'expired' | 'failed';
  blocked_by: string | null;
  sign_by: string;
  tx?: StepTx | null;
}

export interface OrderFill {
  id: string;
  price: string;
  size_base: string;
  fee_usd: string | null;
  impact_usd: string | null;
  tx_hash: string;
  at: string;
}

export interface Order {
  id: string;
  version: number;
  state: string;
  venue_state: string | null;
  terminal: boolean;
  final: boolean;
  reason: { code: string; message: string; venue_code: string | null } | null;
  market: string;
  venue: string;
  chain_id: number | string;
  pool: string | null;
  side: Side;
  intent: 'open' | 'increase' | 'decrease' | 'close' | 'claim';
  type: string;
  size_base: string;
  filled_base: string;
  average_price: string | null;
  limit_price: string | null;
  trigger_price: string | null;
  guard_price: string | null;
  owner: string;
  cancel_requested: boolean;
  steps: OrderStep[];
  attempts: { step_id: string; tx_hash: string; status: string }[];
  fills: OrderFill[];
  created_at: string;
}
