/** A refusal of the server, or silence from it, as something that a page can show. */
import type { ProblemDetails } from './types';

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly page: string | null;

  constructor(details: Partial<ProblemDetails> & { status: number }) {
    super(details.detail ?? details.title ?? `HTTP ${details.status}`);
    this.name = 'ApiProblem';
    this.status = details.status;
    this.code = details.code ?? '';
    this.title = details.title ?? '';
    this.page = details.type?.startsWith('/') ? details.type : null;
  }

  /** Nobody answered at all. */
  get unreachable(): boolean {
    return this.status === 0;
  }
}

/** What the body of a refused request says; a body that is not a problem still yields one. */
export function problemFrom(status: number, body: string): ApiProblem {
  try {
    const details: unknown = JSON.parse(body);
    if (details !== null && typeof details === 'object') {
      return new ApiProblem({ ...(details as Partial<ProblemDetails>), status });
    }
  } catch {
    // Not JSON: a proxy or a crash answered instead of the console.
  }
  return new ApiProblem({ status, detail: body.slice(0, 300).trim() || `HTTP ${status}` });
}
