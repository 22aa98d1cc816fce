/** Chosen series as CSV, one table for all, or as Parquet, one file a series. */
import { askFile, askText, queryString } from '@/api/client';
import type { Series } from '@/api/types';

/** A field as RFC 4180 wants it; a leading sign that a spreadsheet would run as a formula is kept as text. */
export function csvField(text: string): string {
  const safe = /^[=@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const HEAD = 'series,name,unit,sourceTimestamp,serverTimestamp,value,status,statusName';

/** Puts what names the series before each line of the server's table, and drops that table's own head and notes. */
export function labelled(series: Pick<Series, 'id' | 'name' | 'unit'>, csv: string): string[] {
  const label = [String(series.id), csvField(series.name), csvField(series.unit)].join(',');
  return csv
    .split(/\r?\n/)
    .slice(1)
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => `${label},${line}`);
}

/** All samples of a range. One request after another: an export must not starve the page. */
export async function exportCsv(series: readonly Pick<Series, 'id' | 'name' | 'unit'>[], from: number, to: number): Promise<string> {
  const lines = [HEAD];
  const range = queryString({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
  for (const each of series) {
    for (const line of labelled(each, await askText(`/series/${each.id}/samples${range}`, 'text/csv'))) lines.push(line);
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** A name that every file system takes. */
export function fileName(series: Pick<Series, 'id' | 'name'>, stamp: string, ending: string): string {
  const plain = series.name.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60);
  return `${plain || 'series'}-${series.id}-${stamp}.${ending}`;
}

/** Saves all samples of a range, each series in its own file as soon as it has come. */
export async function saveParquet(series: readonly Pick<Series, 'id' | 'name'>[], from: number, to: number, stamp: string): Promise<void> {
  const range = queryString({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
  for (const each of series) {
    download(fileName(each, stamp, 'parquet'), await askFile(`/series/${each.id}/samples${range}`, 'application/vnd.apache.parquet'));
  }
}

/** A command that asks the same of the REST API. */
export function queryCommand(origin: string, ids: readonly number[], from: string, to: string): string {
  const lines = ids.map(
    (id) => `curl -H "Authorization: Bearer $GEMBA_TOKEN" -H "Accept: application/x-ndjson" "${origin}/api/v1/series/${id}/samples?from=${from}&to=${to}"`,
  );
  return lines.join('\n');
}

/** Hands a file to the browser. */
export function download(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
