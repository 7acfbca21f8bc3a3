/** Requests to the server: what it answers, or a Problem with its words. */

import { isRecord } from '../wire';

const TIMEOUT_MS = 10_000;
/** A request that waits for a version is answered after 20 s at the latest. */
export const WAIT_MS = 25_000;

export interface Issue {
  path: string;
  code: string;
  message: string;
}

/** Why something was not done. `retryable`: it may work later; nothing is known when `status` is 0. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly hint: string | null = null,
    readonly issues: readonly Issue[] = [],
    readonly retryable = false,
  ) {
    super(detail);
  }
}

export const OFFLINE = 'NO_ANSWER';

function text(value: unknown, other: string): string {
  return typeof value === 'string' ? value : other;
}

/** Of an `application/problem+json` body, or of anything else that came with an error. */
export function problemOf(status: number, body: unknown): Problem {
  const said = isRecord(body) ? body : {};
  const issues = Array.isArray(said['issues']) ? (said['issues'] as unknown[]) : [];
  return new Problem(
    status,
    text(said['code'], `HTTP_${status}`),
    text(said['title'], 'The server refuses'),
    text(said['detail'], `it answered ${status}`),
    typeof said['hint'] === 'string' ? said['hint'] : null,
    issues.filter(isRecord).map((issue) => ({
      path: text(issue['path'], ''),
      code: text(issue['code'], ''),
      message: text(issue['message'], ''),
    })),
    said['retryable'] === true,
  );
}

export interface Asked {
  body?: unknown;
  token?: string | null;
  key?: string;
  timeoutMs?: number;
}

/** `data` of the answer. Throws Problem; `NO_ANSWER` when it is not known what became of it. */
export async function ask<T>(method: string, path: string, asked: Asked = {}): Promise<T> {
  const headers: Record<string, string> = {};
  if (asked.body !== undefined) headers['Content-Type'] = 'application/json';
  if (asked.token) headers['Authorization'] = `Bearer ${asked.token}`;
  if (asked.key !== undefined) headers['Idempotency-Key'] = asked.key;
  let answer: Response;
  let body: unknown;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: asked.body === undefined ? null : JSON.stringify(asked.body),
      cache: 'no-store',
      signal: AbortSignal.timeout(asked.timeoutMs ?? TIMEOUT_MS),
    });
    body = await answer.json();
  } catch {
    const detail = 'The server did not answer. Whether the request arrived is not known.';
    throw new Problem(0, OFFLINE, 'No answer', detail, null, [], true);
  }
  if (!answer.ok) throw problemOf(answer.status, body);
  return (body as { data: T }).data;
}

/** Any error as a Problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem(0, 'PAGE_ERROR', 'This page failed', detail);
}
