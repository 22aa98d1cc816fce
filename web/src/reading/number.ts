/** Numbers for people: the language's decimal mark, groups and units set off by narrow spaces. */

export const THIN = '\u202F';
const formats = new Map<string, Intl.NumberFormat>();

function format(language: string, decimals: number, fixed: boolean): Intl.NumberFormat {
  const key = `${language}/${decimals}/${fixed}`;
  let known = formats.get(key);
  if (!known) {
    known = new Intl.NumberFormat(language, { maximumFractionDigits: decimals, minimumFractionDigits: fixed ? decimals : 0 });
    formats.set(key, known);
  }
  return known;
}

/** Exact for bigint; `fixed` keeps trailing zeros so that a changing number does not change its width. */
export function numberText(value: number | bigint, language: string, decimals = 0, fixed = false): string {
  return format(language, decimals, fixed)
    .formatToParts(value)
    .map((part) => (part.type === 'group' ? THIN : part.type === 'minusSign' ? '\u2212' : part.value))
    .join('');
}

/** A rate per second: three digits that say something, no more. */
export function rateText(perSecond: number, language: string): string {
  const decimals = perSecond > 0 && perSecond < 10 ? 1 : 0;
  return numberText(perSecond, language, decimals, decimals > 0);
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytesText(bytes: number, language: string): string {
  let unit = 0;
  let rest = bytes;
  while (rest >= 1000 && unit < BYTE_UNITS.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${numberText(rest, language, rest < 10 && unit > 0 ? 1 : 0)}${THIN}${BYTE_UNITS[unit]}`;
}
