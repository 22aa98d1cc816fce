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

/** The instant of a local time in a zone; null for what is no time. Of an hour that happens twice, the first. */
export function zonedInstant(text: string, zone: string): number | null {
  const wanted = Date.parse(`${text}Z`);
  if (!Number.isFinite(wanted)) return null;
  let guess = wanted;
  for (let round = 0; round < 3; round += 1) {
    const off = Date.parse(`${parts(guess, zone)}Z`) - wanted;
    if (off === 0) return guess;
    guess -= off;
  }
  return guess;
}
