/** Times as a person types them, in the zone on the page. */

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(ms: number, zone: string): string {
  let format = formats.get(zone);
  if (!format) {
    // The Swedish form is ISO 8601's.
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    formats.set(zone, format);
  }
  return format.format(ms).replace(' ', 'T');
}

/** "2026-03-01T14:02:00", the form of a datetime-local field. */
export function zonedText(ms: number, zone: string): string {
  return parts(ms, zone);
}

const DAY = 86_400_000;

/**
 * The instant of a local time in a zone; null for what is no time. Of an hour that happens twice, the first; an hour
 * that a zone leaves out is read by the clock before it.
 */
export function zonedInstant(text: string, zone: string): number | null {
  const wanted = Date.parse(`${text}Z`);
  if (!Number.isFinite(wanted)) return null;
  const local = (ms: number) => Date.parse(`${parts(ms, zone)}Z`);
  const candidates = [wanted - DAY, wanted + DAY].map((near) => wanted - (local(near) - near));
  const fitting = candidates.filter((candidate) => local(candidate) === wanted);
  return fitting.length > 0 ? Math.min(...fitting) : (candidates[0] ?? null);
}
