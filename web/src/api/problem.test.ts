/** Facts about refusals. */
import { expect, it } from 'vitest';
import { problemFrom } from './problem';

it('takes code, detail and page from an RFC 9457 body', () => {
  const problem = problemFrom(403, '{"type":"/docs/errors/GMB-API-004","title":"No","status":403,"detail":"Ask an engineer.","code":"GMB-API-004"}');
  expect([problem.status, problem.code, problem.message, problem.page]).toEqual([403, 'GMB-API-004', 'Ask an engineer.', '/docs/errors/GMB-API-004']);
});

it('still says something when a proxy answered', () => {
  expect(problemFrom(502, 'Bad Gateway').message).toBe('Bad Gateway');
  expect(problemFrom(500, '').message).toBe('HTTP 500');
});

it('follows no page outside', () => {
  expect(problemFrom(400, '{"type":"https://elsewhere/","status":400}').page).toBeNull();
});
