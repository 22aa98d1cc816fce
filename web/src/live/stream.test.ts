/** Facts about the event stream. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { flow, reading } from '@/testing/examples';
import { LiveStream } from './stream';

class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  closed = false;
  readonly url: string;
  constructor(url: string) {
    super();
    this.url = url;
    FakeSource.all.push(this);
  }
  close(): void {
    this.closed = true;
  }
  tell(kind: string, data: unknown = {}): void {
    this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) }));
  }
}

const newest = () => FakeSource.all.at(-1) as FakeSource;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.all = [];
  vi.stubGlobal('EventSource', FakeSource);
  // The middle of the range in which a pause is drawn.
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function started(...ids: number[]): LiveStream {
  const stream = new LiveStream();
  stream.want(ids);
  stream.start();
  vi.advanceTimersByTime(1);
  newest().tell('open');
  return stream;
}

it('asks for what is wanted, in one stream', () => {
  started(1, 2);
  expect(FakeSource.all.map((source) => source.url)).toEqual(['/api/v1/live?series=1,2']);
});

it('tells listeners ten times a second at most, however much comes', () => {
  const stream = started(1);
  const told = vi.fn();
  stream.subscribe(told);
  for (let value = 0; value < 50; value += 1) newest().tell('values', { series: { 1: reading({ value }) } });
  vi.advanceTimersByTime(100);
  expect(told).toHaveBeenCalledTimes(1);
  expect(stream.state().readings.get(1)?.value).toBe(49);
});

it('hands every value to those who follow, for charts', () => {
  const stream = started(1);
  const seen: unknown[] = [];
  stream.follow((id, each) => seen.push([id, each.value]));
  newest().tell('values', { series: { 1: reading({ value: 1 }) } });
  newest().tell('values', { series: { 1: reading({ value: 2 }) } });
  expect(seen).toEqual([[1, 1], [1, 2]]);
});

it('opens anew for a new wish, and closes the old stream', () => {
  const stream = started(1);
  stream.want([7]);
  vi.advanceTimersByTime(200);
  expect([FakeSource.all[0]?.closed, newest().url]).toEqual([true, '/api/v1/live?series=1,7']);
});

it('says that it was lost, and tries again more slowly each time', () => {
  const stream = started(1);
  newest().tell('error');
  expect(stream.state().status).toBe('lost');
  vi.advanceTimersByTime(1000);
  newest().tell('error');
  vi.advanceTimersByTime(1999);
  expect(FakeSource.all).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(FakeSource.all).toHaveLength(3);
  newest().tell('open');
  expect(stream.state().status).toBe('open');
});

it('does not come back after the session ended', () => {
  const stream = started(1);
  const ended = vi.fn();
  stream.onSessionEnd = ended;
  newest().tell('end', { reason: 'session-expired' });
  vi.advanceTimersByTime(60_000);
  expect([ended.mock.calls.length, FakeSource.all.length, newest().closed]).toEqual([1, 1, true]);
});

it('comes back after a server that shut down', () => {
  started(1);
  newest().tell('end', { reason: 'shutting-down' });
  vi.advanceTimersByTime(1000);
  expect(FakeSource.all).toHaveLength(2);
});

it('takes the flow document as it comes', () => {
  const stream = started();
  newest().tell('flow', flow({ openGaps: 4 }));
  expect([stream.state().flow?.openGaps, newest().url]).toEqual([4, '/api/v1/live']);
});
