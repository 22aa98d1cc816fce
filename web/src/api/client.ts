/** Requests to the console's own origin. */
import { parseExact } from './exactJson';
import { ApiProblem, problemFrom } from './problem';

let csrfToken = '';

/** Unsafe methods carry this; the session tells it. */
export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}

export interface Ask {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
}

async function send(path: string, ask: Ask): Promise<Response> {
  const method = ask.method ?? 'GET';
  const headers: Record<string, string> = { Accept: ask.accept ?? 'application/json' };
  if (ask.body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && csrfToken !== '') headers['X-CSRF-Token'] = csrfToken;
  const init: RequestInit = { method, headers, credentials: 'same-origin' };
  if (ask.body !== undefined) init.body = JSON.stringify(ask.body);
  if (ask.signal) init.signal = ask.signal;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, init);
  } catch (cause) {
    if (ask.signal?.aborted) throw cause;
    throw new ApiProblem({ status: 0, detail: 'no answer' });
  }
  if (!response.ok) throw problemFrom(response.status, await response.text());
  return response;
}

/** The JSON answer, integers exact. Errors: {@link ApiProblem}. */
export async function askJson<T>(path: string, ask: Ask = {}): Promise<T> {
  const response = await send(path, ask);
  const text = await response.text();
  return (text === '' ? undefined : parseExact<T>(text)) as T;
}

/** The answer as text, such as CSV. Errors: {@link ApiProblem}. */
export async function askText(path: string, accept: string, signal?: AbortSignal): Promise<string> {
  const response = await send(path, signal ? { accept, signal } : { accept });
  return response.text();
}

/** The answer as a file. A body that is broken off is an error, never a shorter file. Errors: {@link ApiProblem}. */
export async function askFile(path: string, accept: string): Promise<Blob> {
  const response = await send(path, { accept });
  try {
    return await response.blob();
  } catch {
    throw new ApiProblem({ status: 0, detail: 'the answer was broken off' });
  }
}

/** A query string of what is set. */
export function queryString(parts: Record<string, string | number | undefined | null>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
