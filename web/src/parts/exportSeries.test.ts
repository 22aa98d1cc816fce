/** Facts about exports and small trends. */
import { expect, it } from 'vitest';
import { csvField, labelled, queryCommand } from './exportSeries';
import { areaPath, linePath, sparkRuns } from './sparkRuns';

it('writes fields as RFC 4180 wants them, and no formula for a spreadsheet to run', () => {
  expect(['plain', 'a,b', 'say "x"', '=1+1', '-5'].map(csvField)).toEqual(['plain', '"a,b"', '"say ""x"""', "'=1+1", '-5']);
});

it('names the series on each line, without the head and the notes of the server', () => {
  const csv = 'sourceTimestamp,serverTimestamp,value,status,statusName\n2026,2026,1,0,Good\r\n# continuationToken=x\n';
  expect(labelled({ id: 7, name: 'A, B', unit: '°C' }, csv)).toEqual(['7,"A, B",°C,2026,2026,1,0,Good']);
});

it('copies a query that a terminal understands', () => {
  expect(queryCommand('http://127.0.0.1:8080', [1, 2], '-1h', 'now').split('\n')[1]).toBe(
    'curl -H "Authorization: Bearer $GEMBA_TOKEN" -H "Accept: application/x-ndjson" "http://127.0.0.1:8080/api/v1/series/2/samples?from=-1h&to=now"',
  );
});

it('cuts a small trend where nothing is known', () => {
  const runs = sparkRuns([null, 0, 10, null, 5, null], 0, 10, 50, 10);
  expect(runs).toEqual([[{ x: 10, y: 10 }, { x: 20, y: 0 }], [{ x: 40, y: 5 }]]);
  expect(runs.map(linePath)).toEqual(['M10 10L20 0', 'M40 5h0.01']);
  expect(areaPath(runs[0] ?? [], 10)).toBe('M10 10L20 0L20 10L10 10Z');
  expect(sparkRuns([], 0, 1, 10, 10)).toEqual([]);
});
