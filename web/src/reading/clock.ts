/** Times of day, in the plant's zone or UTC, and the server's idea of now. */

let ahead = 0;

/** Called with each document that carries the server's time: a browser's clock may be wrong, ages must not be. */
export function learnServerTime(at: string, receivedAt: number): void {
  const time = Date.parse(at);
  if (Number.isFinite(time)) ahead = time - receivedAt;
}

/** Now, by the server's clock, in milliseconds. */
export function serverNow(): number {
  return Date.now() + ahead;
}

/** Milliseconds of a timestamp with up to seven decimals; null stays null. */
export function instant(timestamp: string | null | undefined): number | null {
  if (!timestamp) return null;
  const time = Date.parse(timestamp);
  return Number.isFinite(time) ? time : null;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: string, zone: string, kind: 'day' | 'date' | 'time' | 'seconds'): Intl.DateTimeFormat {
  const key = `${language}/${zone}/${kind}`;
  let known = formats.get(key);
  if (!known) {
    const options: Intl.DateTimeFormatOptions = { timeZone: zone, hourCycle: 'h23' };
    if (kind === 'day') Object.assign(options, { year: 'numeric', month: '2-digit', day: '2-digit' });
    if (kind === 'date') Object.assign(options, { day: '2-digit', month: 'short' });
    if (kind === 'time' || kind === 'seconds') Object.assign(options, { hour: '2-digit', minute: '2-digit' });
    if (kind === 'seconds') options.second = '2-digit';
    known = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, options);
    formats.set(key, known);
  }
  return known;
}

export interface ClockStyle {
  language: string;
  zone: string;
}

/** "14:02:07", with the date before it when that is not today's. */
export function clockText(ms: number, now: number, style: ClockStyle, seconds = true): string {
  const time = format(style.language, style.zone, seconds ? 'seconds' : 'time').format(ms);
  const day = format(style.language, style.zone, 'day');
  return day.format(ms) === day.format(now) ? time : `${format(style.language, style.zone, 'date').format(ms)}, ${time}`;
}

/** The full time with date and milliseconds, for hover and export. */
export function fullClockText(ms: number, style: ClockStyle): string {
  const milliseconds = String(((ms % 1000) + 1000) % 1000 | 0).padStart(3, '0');
  const { language, zone } = style;
  return `${format(language, zone, 'day').format(ms)} ${format(language, zone, 'seconds').format(ms)}.${milliseconds} ${zone}`;
}
