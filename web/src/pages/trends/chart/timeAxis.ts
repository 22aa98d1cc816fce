/** Labels of the time axis in the zone and language of the page. */

const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: string, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language}/${zone}/${JSON.stringify(options)}`;
  let known = formats.get(key);
  if (!known) {
    known = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { timeZone: zone, hourCycle: 'h23', ...options });
    formats.set(key, known);
  }
  return known;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/** One label a split; the date stands below the first one and below each new day. */
export function timeLabels(splits: readonly number[], increment: number, language: string, zone: string): string[] {
  const time: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };
  if (increment < MINUTE) time.second = '2-digit';
  if (increment < 1000) time.fractionalSecondDigits = 3;
  const day = format(language, zone, { day: 'numeric', month: 'short' });
  if (increment >= DAY) return splits.map((split) => day.format(split));
  const clock = format(language, zone, time);
  let before = '';
  return splits.map((split) => {
    const date = day.format(split);
    const label = date === before ? clock.format(split) : `${clock.format(split)}\n${date}`;
    before = date;
    return label;
  });
}
