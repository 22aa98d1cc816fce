/** The one event stream of the page, coalesced to ten changes a second. */
import { parseExact } from '@/api/exactJson';
import type { Flow, Reading } from '@/api/types';
import { learnServerTime, serverNow } from '@/reading/clock';
import { NOTHING_LIVE, reduceLive, type LiveAction, type LiveState, type ValuesEvent } from './reduce';
import { Wanted } from './wanted';

const COALESCE_MS = 100;
const REOPEN_MS = 150;
const HIDDEN_MS = 60_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 15_000;
/** Between two flushes at most so many events are held; the server sends ten a second. */
const PENDING_MAX = 200;

export type Tail = (id: number, reading: Reading) => void;

export class LiveStream {
  #state: LiveState = NOTHING_LIVE;
  #source: EventSource | null = null;
  #carried: ReadonlySet<number> = new Set();
  #pending: ValuesEvent[] = [];
  #flushTimer: ReturnType<typeof setTimeout> | null = null;
  #openTimer: ReturnType<typeof setTimeout> | null = null;
  #hiddenTimer: ReturnType<typeof setTimeout> | null = null;
  #retryMs = RETRY_FIRST_MS;
  #running = false;
  readonly #wanted = new Wanted();
  readonly #listeners = new Set<() => void>();
  readonly #tails = new Set<Tail>();
  /** Called when the server ends the stream because the session is over. */
  onSessionEnd: () => void = () => undefined;

  state = (): LiveState => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Every value as it comes, for charts that keep a tail. */
  follow(tail: Tail): () => void {
    this.#tails.add(tail);
    return () => this.#tails.delete(tail);
  }

  want(ids: readonly number[]): () => void {
    this.#wanted.add(ids);
    this.#reopenIfOutgrown();
    return () => {
      this.#wanted.remove(ids);
      this.#reopenIfOutgrown();
    };
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    document.addEventListener('visibilitychange', this.#onVisibility);
    this.#schedule(0);
  }

  stop(): void {
    this.#running = false;
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#close();
    this.#state = NOTHING_LIVE;
    this.#notify();
  }

  /** A page that nobody sees gives its stream back: browsers open few connections, and the server counts them. */
  #onVisibility = (): void => {
    if (this.#hiddenTimer !== null) clearTimeout(this.#hiddenTimer);
    this.#hiddenTimer = null;
    if (document.visibilityState === 'visible') {
      if (this.#source === null) this.#schedule(0);
    } else {
      this.#hiddenTimer = setTimeout(() => this.#close(), HIDDEN_MS);
    }
  };

  #dispatch(action: LiveAction): void {
    const next = reduceLive(this.#state, action);
    if (next === this.#state) return;
    this.#state = next;
    this.#notify();
  }

  #notify(): void {
    this.#listeners.forEach((listener) => listener());
  }

  #reopenIfOutgrown(): void {
    if (this.#running && this.#wanted.outgrew(this.#carried)) this.#schedule(REOPEN_MS);
  }

  #schedule(delay: number): void {
    if (this.#openTimer !== null) clearTimeout(this.#openTimer);
    this.#openTimer = setTimeout(() => this.#open(), delay);
  }

  #close(): void {
    if (this.#openTimer !== null) clearTimeout(this.#openTimer);
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#openTimer = null;
    this.#flushTimer = null;
    this.#pending = [];
    this.#source?.close();
    this.#source = null;
    this.#carried = new Set();
  }

  #open(): void {
    this.#close();
    if (!this.#running) return;
    const ids = this.#wanted.ids();
    this.#carried = new Set(ids);
    this.#dispatch({ kind: 'forget', keep: this.#carried });
    if (this.#state.status === 'idle') this.#dispatch({ kind: 'status', status: 'connecting', at: serverNow() });
    const source = new EventSource(`/api/v1/live${ids.length > 0 ? `?series=${ids.join(',')}` : ''}`);
    this.#source = source;
    source.addEventListener('open', () => {
      this.#retryMs = RETRY_FIRST_MS;
      this.#dispatch({ kind: 'status', status: 'open', at: serverNow() });
    });
    source.addEventListener('values', (event) => this.#onValues(event.data as string));
    source.addEventListener('flow', (event) => this.#onFlow(event.data as string));
    source.addEventListener('end', (event) => this.#onEnd(event.data as string));
    source.addEventListener('error', () => this.#onError(source));
  }

  #onValues(data: string): void {
    const event = parseExact<ValuesEvent>(data);
    if (this.#pending.length < PENDING_MAX) this.#pending.push(event);
    else this.#pending = [{ series: Object.assign({}, ...this.#pending.map((held) => held.series), event.series) }];
    for (const [id, reading] of Object.entries(event.series)) {
      if (reading) this.#tails.forEach((tail) => tail(Number(id), reading));
    }
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = null;
      const events = this.#pending;
      this.#pending = [];
      this.#dispatch({ kind: 'values', events });
    }, COALESCE_MS);
  }

  #onFlow(data: string): void {
    const flow = parseExact<Flow>(data);
    learnServerTime(flow.at, Date.now());
    this.#dispatch({ kind: 'flow', flow });
  }

  #onEnd(data: string): void {
    const { reason } = parseExact<{ reason: string }>(data);
    if (reason === 'session-expired') {
      this.stop();
      this.onSessionEnd();
    } else if (this.#source) {
      this.#onError(this.#source);
    }
  }

  #onError(source: EventSource): void {
    if (source !== this.#source) return;
    source.close();
    this.#source = null;
    this.#dispatch({ kind: 'status', status: 'lost', at: serverNow() });
    // Pages that lost the console together must not all come back in one instant.
    this.#schedule(this.#retryMs * (0.75 + Math.random() / 2));
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
  }
}

export const live = new LiveStream();
