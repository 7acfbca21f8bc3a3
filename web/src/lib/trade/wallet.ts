/** The wallet in the browser (EIP-1193), found by its announcement (EIP-6963) or as `window.ethereum`. */

import { isRecord } from '../wire';
import { Problem } from './api';
import { chainName } from '../words';

export interface Provider {
  request(asked: { method: string; params?: unknown }): Promise<unknown>;
  on?(event: string, take: (value: unknown) => void): void;
}

/** `id`: its reverse domain name, the same on every visit. */
export interface FoundWallet {
  id: string;
  name: string;
  provider: Provider;
}

/** What `eth_sendTransaction` is told: the `tx` of a step. Numbers are decimal strings. */
export interface StepTx {
  chain_id: string;
  from: string;
  to: string;
  value: string;
  data: string;
  nonce: string;
  gas: string;
  max_fee_per_gas: string;
  max_priority_fee_per_gas: string;
}

const BROWSER_WALLET = 'browser';
const DECLINED = 4001;
const UNKNOWN_CHAIN = 4902;
const PENDING = -32002;

function isProvider(value: unknown): value is Provider {
  return isRecord(value) && typeof value['request'] === 'function';
}

/** Calls `found` for every wallet, now and when one comes later. */
export function discover(found: (wallet: FoundWallet) => void): void {
  window.addEventListener('eip6963:announceProvider', (event) => {
    const detail: unknown = (event as CustomEvent).detail;
    if (!isRecord(detail) || !isRecord(detail['info']) || !isProvider(detail['provider'])) return;
    const { rdns, name } = detail['info'];
    if (typeof rdns !== 'string' || typeof name !== 'string') return;
    found({ id: rdns, name, provider: detail['provider'] });
  });
  window.dispatchEvent(new Event('eip6963:requestProvider'));
  const injected = (window as { ethereum?: unknown }).ethereum;
  if (isProvider(injected)) {
    found({ id: BROWSER_WALLET, name: 'Browser wallet', provider: injected });
  }
}

/** Throws Problem for whatever the wallet says no to. */
async function request(wallet: FoundWallet, method: string, params?: unknown): Promise<unknown> {
  try {
    return await wallet.provider.request(params === undefined ? { method } : { method, params });
  } catch (error) {
    throw refusal(error);
  }
}

export function refusal(error: unknown): Problem {
  const code = isRecord(error) ? error['code'] : undefined;
  const words = isRecord(error) && typeof error['message'] === 'string' ? error['message'] : '';
  if (code === DECLINED) {
    return new Problem(0, 'DECLINED', 'Declined in the wallet', 'Nothing was signed or sent.');
  }
  if (code === PENDING) {
    const detail = 'It shows another request already: answer that one first.';
    return new Problem(0, 'WALLET_BUSY', 'The wallet waits for you', detail);
  }
  return new Problem(0, `WALLET_${String(code ?? 'ERROR')}`, 'The wallet refuses', words);
}

/** The account it shows. `ask`: opens the wallet where it has not been connected before. */
export async function account(wallet: FoundWallet, ask: boolean): Promise<string | null> {
  const found = await request(wallet, ask ? 'eth_requestAccounts' : 'eth_accounts');
  const first: unknown = Array.isArray(found) ? found[0] : undefined;
  return typeof first === 'string' ? first : null;
}

export async function chainId(wallet: FoundWallet): Promise<number> {
  return Number(await request(wallet, 'eth_chainId'));
}

export async function signText(wallet: FoundWallet, from: string, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return String(await request(wallet, 'personal_sign', [`0x${hex}`, from]));
}

export async function switchChain(wallet: FoundWallet, chain: number): Promise<void> {
  if ((await chainId(wallet)) === chain) return;
  const wanted = [{ chainId: hex(String(chain)) }];
  try {
    await request(wallet, 'wallet_switchEthereumChain', wanted);
  } catch (error) {
    if (error instanceof Problem && error.code === `WALLET_${UNKNOWN_CHAIN}`) {
      const detail = `It does not know ${chainName(chain)} (chain ${chain}): add it there first.`;
      throw new Problem(0, 'CHAIN_NOT_ADDED', 'The wallet lacks the chain', detail);
    }
    throw error;
  }
  if ((await chainId(wallet)) !== chain) {
    const detail = `It is not on ${chainName(chain)}. Nothing was sent.`;
    throw new Problem(0, 'WRONG_CHAIN', 'The wallet stayed on another chain', detail);
  }
}

function hex(decimal: string): string {
  return `0x${BigInt(decimal).toString(16)}`;
}

/** Pure: the nonce is told, so that signing the same step twice cannot trade twice. */
export function sendRequest(tx: StepTx): Record<string, string> {
  return {
    from: tx.from,
    to: tx.to,
    value: hex(tx.value),
    data: tx.data,
    nonce: hex(tx.nonce),
    gas: hex(tx.gas),
    maxFeePerGas: hex(tx.max_fee_per_gas),
    maxPriorityFeePerGas: hex(tx.max_priority_fee_per_gas),
  };
}

/** Its hash. */
export async function send(wallet: FoundWallet, tx: StepTx): Promise<string> {
  const hash = await request(wallet, 'eth_sendTransaction', [sendRequest(tx)]);
  if (typeof hash !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(hash)) {
    throw new Problem(0, 'WALLET_NO_HASH', 'The wallet refuses', 'It did not say a transaction.');
  }
  return hash;
}
