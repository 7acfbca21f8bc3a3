import { describe, expect, it } from 'vitest';
import { problemOf } from '../src/lib/trade/api';
import {
  canClose,
  cut,
  dollars,
  EMPTY_FORM,
  faults,
  needWords,
  nextStep,
  orderTitle,
  plain,
  routeBody,
  routePlace,
} from '../src/lib/trade/ticket';
import { refusal, sendRequest } from '../src/lib/trade/wallet';
import type { Order, OrderStep } from '../src/lib/trade/wire';

const TX = {
  chain_id: '42161',
  from: '0xab',
  to: '0xcd',
  value: '1000000000000000000',
  data: '0x01',
  nonce: '0',
  gas: '21000',
  max_fee_per_gas: '20000000',
  max_priority_fee_per_gas: '0',
};

function step(changed: Partial<OrderStep>): OrderStep {
  const whole = { id: 'order', kind: 'evm_tx', version: 1, status: 'ready', tx: TX } as const;
  return { ...whole, blocked_by: null, sign_by: '', ...changed };
}

describe('the form', () => {
  it('takes amounts as people write them', () => {
    expect(plain(' 1,000.50 ')).toBe('1000.5');
    expect(plain('007')).toBe('7');
    expect(plain('0.10')).toBe('0.1');
    expect(plain('20.')).toBeNull();
    for (const bad of ['', '-1', '1e3', '0x10', '1.2.3', 'ten']) expect(plain(bad)).toBeNull();
  });

  it('says what is wrong by field', () => {
    expect(faults(EMPTY_FORM, '100')).toEqual({});
    const form = { ...EMPTY_FORM, size: '', leverage: '0', slippage: '10000', takeProfit: 'x' };
    expect(faults(form, null)).toEqual({
      size: 'needed',
      leverage: 'more than 0',
      slippage: 'less than 10000',
      takeProfit: 'a plain number',
    });
    expect(faults({ ...EMPTY_FORM, type: 'limit' }, '100')).toEqual({ limit: 'needed' });
    expect(faults({ ...EMPTY_FORM, type: 'stop' }, '100')).toEqual({ trigger: 'needed' });
  });

  it('knows the side of exits', () => {
    const long = { ...EMPTY_FORM, takeProfit: '90', stopLoss: '110' };
    expect(Object.keys(faults(long, '100'))).toEqual(['takeProfit', 'stopLoss']);
    expect(faults({ ...long, side: 'SELL' }, '100')).toEqual({});
    expect(faults({ ...long, type: 'limit', limit: '80', stopLoss: '' }, '100')).toEqual({});
    expect(faults(long, null)).toEqual({});
  });

  it('asks for what it shows', () => {
    const form = { ...EMPTY_FORM, type: 'limit', limit: '99.0', trigger: '1', stopLoss: '50' };
    expect(routeBody('ETH-USD', form as typeof EMPTY_FORM)).toEqual({
      market: 'ETH-USD',
      side: 'BUY',
      intent: 'open',
      type: 'limit',
      notional_usd: '1000',
      leverage: '5',
      slippage_bps: '50',
      limit_price: '99',
      stop_loss: '50',
    });
  });
});

describe('what is said of routes', () => {
  it('names places', () => {
    const pool = '0x70d95587d40A2caf56bd97485aB3Eec10Bee6336';
    expect(routePlace({ chain_id: 42161, pool })).toBe('0x70d9…6336 on Arbitrum');
    expect(routePlace({ chain_id: 137, pool: '137:USDC' })).toBe('USDC on Polygon');
    expect(routePlace({ chain_id: null, pool: null })).toBe('');
  });

  it('cuts digits and never rounds', () => {
    expect(cut('1999.999999999999')).toBe('1999.99999');
    expect(cut('0.000012345678999')).toBe('0.0000123456789');
    expect(cut('12345678901.5')).toBe('12345678901');
    expect(cut('100.5000000001')).toBe('100.5');
    expect(cut(null)).toBe('');
  });

  it('shows money and what is lacking', () => {
    expect(dollars('1234.567')).toBe('$1,234.57');
    expect(dollars('-0.00123')).toBe('−$0.0012');
    expect(needWords({ code: 'ALLOWANCE' })).toBe('approval first');
    const lacks = { code: 'BALANCE', symbol: 'USDC', needed: '400.5', available: '12' };
    expect(needWords(lacks)).toBe('not enough balance: 400.5 USDC needed, 12 there');
  });
});

describe('orders', () => {
  const order = { terminal: false, cancel_requested: false };

  it('are named by the position', () => {
    expect(orderTitle({ side: 'BUY', intent: 'open', type: 'market' })).toBe('Open long');
    expect(orderTitle({ side: 'SELL', intent: 'close', type: 'stop' })).toBe('Close long, stop');
    expect(orderTitle({ side: 'SELL', intent: 'open', type: 'limit' })).toBe('Open short, limit');
  });

  it('have one step to sign at a time', () => {
    const approve = step({ id: 'approve' });
    const blocked = step({ status: 'blocked', blocked_by: 'approve' });
    expect(nextStep({ ...order, steps: [approve, blocked] })?.id).toBe('approve');
    const done = step({ id: 'approve', status: 'done' });
    expect(nextStep({ ...order, steps: [done, step({})] })?.id).toBe('order');
    expect(nextStep({ ...order, steps: [step({ tx: null })] })).toBeNull();
    expect(nextStep({ ...order, terminal: true, steps: [step({})] })).toBeNull();
    const cancel = step({ id: 'cancel' });
    const going = { ...order, cancel_requested: true, steps: [step({}), cancel] };
    expect(nextStep(going)?.id).toBe('cancel');
  });

  it('that are filled can be closed, once', () => {
    const opened = {
      id: 'a',
      market: 'ETH-USD',
      venue: 'gmx',
      intent: 'open',
      state: 'filled',
      terminal: true,
      filled_base: '0.5',
    } as Order;
    const close = (changed: Partial<Order>): Order => ({
      ...opened,
      id: 'b',
      intent: 'close',
      ...changed,
    });
    expect(canClose(opened, [opened])).toBe(true);
    expect(canClose({ ...opened, filled_base: '0' }, [opened])).toBe(false);
    expect(canClose(close({}), [close({})])).toBe(false);
    expect(canClose(opened, [close({}), opened])).toBe(false);
    expect(canClose(opened, [close({ state: 'mined', terminal: false }), opened])).toBe(false);
    expect(canClose(opened, [close({ state: 'rejected' }), opened])).toBe(true);
    expect(canClose(opened, [close({ venue: 'gains' }), opened])).toBe(true);
    expect(canClose(opened, [opened, close({})])).toBe(true);
  });
});

describe('the wallet', () => {
  it('is told numbers in hex, with the nonce', () => {
    expect(sendRequest(TX)).toEqual({
      from: '0xab',
      to: '0xcd',
      value: '0xde0b6b3a7640000',
      data: '0x01',
      nonce: '0x0',
      gas: '0x5208',
      maxFeePerGas: '0x1312d00',
      maxPriorityFeePerGas: '0x0',
    });
  });

  it('says no in words', () => {
    expect(refusal({ code: 4001, message: 'User rejected' }).code).toBe('DECLINED');
    expect(refusal({ code: -32002 }).code).toBe('WALLET_BUSY');
    expect(refusal({ code: -32000, message: 'nonce too low' })).toMatchObject({
      code: 'WALLET_-32000',
      detail: 'nonce too low',
    });
    expect(refusal('what').code).toBe('WALLET_ERROR');
  });
});

describe('problems', () => {
  it('are those of the server', () => {
    const said = {
      code: 'QUOTE_EXPIRED', title: 'It has expired', detail: 'ten seconds', hint: 'again',
      retryable: false, issues: [{ path: 'body', code: 'X', message: 'm' }, 'strange'],
    }; // prettier-ignore
    expect(problemOf(410, said)).toMatchObject({
      status: 410, code: 'QUOTE_EXPIRED', hint: 'again', retryable: false,
      issues: [{ path: 'body', code: 'X', message: 'm' }],
    }); // prettier-ignore
    expect(problemOf(502, '<html>')).toMatchObject({ code: 'HTTP_502', detail: 'it answered 502' });
  });
});
