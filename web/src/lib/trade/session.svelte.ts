/**
 * Who is signed in. The access token lives in memory alone; the refresh token is a cookie that no
 * script can read. What is kept here is only that there was a sign-in, and with which wallet.
 */

import { withChecksum } from './address';
import { ask, asProblem, Problem, type Asked } from './api';
import { account, chainId, discover, signText, type FoundWallet } from './wallet';

const KEPT = 'perptape.wallet';
const DEFAULT_CHAIN = 42161;

interface Grant {
  access_token: string;
  account_id: string;
  address: string;
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(walletId: string | null): void {
  try {
    if (walletId === null) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, walletId);
  } catch {
    // Storage is refused: the next visit begins with a sign-in.
  }
}

export type SessionState = 'out' | 'restoring' | 'connecting' | 'signing' | 'in';

class Session {
  state = $state.raw<SessionState>('out');
  address = $state.raw<string | null>(null);
  wallets = $state.raw<readonly FoundWallet[]>([]);
  wallet = $state.raw<FoundWallet | null>(null);
  /** The account the wallet shows now. */
  shown = $state.raw<string | null>(null);
  problem = $state.raw<Problem | null>(null);

  #token: string | null = null;
  #refreshing: Promise<boolean> | null = null;
  #changed: ((token: string | null) => void)[] = [];
  #watched = new Set<string>();

  readonly isIn = $derived(this.state === 'in');
  /** The wallet can sign for who is signed in. */
  readonly canSign = $derived(
    this.wallet !== null &&
      this.address !== null &&
      this.shown?.toLowerCase() === this.address.toLowerCase(),
  );

  /** `changed` is told every new token, and null when there is none any more. */
  start(changed: (token: string | null) => void): void {
    this.#changed.push(changed);
    discover((wallet) => {
      if (this.wallets.some(({ id }) => id === wallet.id)) return;
      this.wallets = [...this.wallets, wallet];
      if (wallet.id === kept()) void this.#use(wallet);
    });
    if (kept() !== null) void this.#restore();
  }

  async connect(wallet: FoundWallet): Promise<void> {
    this.problem = null;
    this.state = 'connecting';
    try {
      const address = await account(wallet, true);
      if (address === null) {
        throw new Problem(0, 'NO_ACCOUNT', 'No account', 'The wallet shows none.');
      }
      this.#watch(wallet);
      this.wallet = wallet;
      this.shown = address;
      this.state = 'signing';
      const chain = (await chainId(wallet)) || DEFAULT_CHAIN;
      const asked = { address: withChecksum(address), chain_id: chain };
      const nonce = await ask<{ message: string }>('POST', '/v1/auth/nonce', { body: asked });
      const signature = await signText(wallet, address, nonce.message);
      const body = { message: nonce.message, signature, cookie: true };
      this.#take(await ask<Grant>('POST', '/v1/auth/login', { body }));
      keep(wallet.id);
    } catch (error) {
      this.problem = asProblem(error);
      this.state = 'out';
    }
  }

  async logout(): Promise<void> {
    const token = this.#token;
    this.#end();
    keep(null);
    try {
      await ask('POST', '/v1/auth/logout', { body: {}, token });
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status !== 401) this.problem = problem;
    }
  }

  /** A request of the account; renews the token once. Throws Problem. */
  async ask<T>(method: string, path: string, asked: Asked = {}): Promise<T> {
    if (this.#token === null) await this.#renewed();
    try {
      return await ask<T>(method, path, { ...asked, token: this.#token });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      if (!(await this.#renewed())) throw error;
      return await ask<T>(method, path, { ...asked, token: this.#token });
    }
  }

  /** Routes are for anybody; who is signed in hears what the wallet lacks too. */
  routes<T>(body: Record<string, unknown>): Promise<T> {
    const asked: Asked = { body };
    return this.isIn ? this.ask('POST', '/v1/routes', asked) : ask('POST', '/v1/routes', asked);
  }

  /** The token has expired somewhere; whether there is a new one. */
  renew(): Promise<boolean> {
    return this.#renewed();
  }

  /** The server is there again: what could not be asked before may go now. */
  reconnected(): void {
    if (this.state === 'out' && kept() !== null) void this.#restore();
  }

  async #restore(): Promise<void> {
    this.state = 'restoring';
    const isIn = await this.#renewed();
    if (!isIn && this.state === 'restoring') this.state = 'out';
  }

  #renewed(): Promise<boolean> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #refresh(): Promise<boolean> {
    try {
      this.#take(await ask<Grant>('POST', '/v1/auth/refresh', { body: {} }));
      return true;
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status !== 401) {
        this.problem = problem;
        return false;
      }
      if (this.address !== null) this.problem = problem;
      this.#end();
      keep(null);
      return false;
    }
  }

  #take(grant: Grant): void {
    if (this.address !== null && this.address !== grant.address) this.#tell(null);
    this.#token = grant.access_token;
    this.address = grant.address;
    this.state = 'in';
    this.problem = null;
    this.#tell(grant.access_token);
  }

  #end(): void {
    this.#token = null;
    this.address = null;
    this.state = 'out';
    this.#tell(null);
  }

  #tell(token: string | null): void {
    for (const changed of this.#changed) changed(token);
  }

  /** A wallet that was connected on an earlier visit; it is not opened. */
  async #use(wallet: FoundWallet): Promise<void> {
    this.wallet = wallet;
    this.#watch(wallet);
    try {
      this.shown = await account(wallet, false);
    } catch {
      this.shown = null;
    }
  }

  #watch(wallet: FoundWallet): void {
    if (this.#watched.has(wallet.id)) return;
    this.#watched.add(wallet.id);
    wallet.provider.on?.('accountsChanged', (found) => {
      if (this.wallet?.id !== wallet.id) return;
      const first: unknown = Array.isArray(found) ? found[0] : undefined;
      this.shown = typeof first === 'string' ? first : null;
    });
  }
}

export const session = new Session();
