/** Numbers for people: the language's decimal mark, groups and units set off by narrow spaces. */

export const THIN = '\u202F';
const formats = new Map<string, (value: number | bigint) => string>();

/** Taking a number apart costs ten times what writing it does, so that is done once for each kind of number. */
function format(language: string, decimals: number, fixed: boolean): (value: number | bigint) => string {
  const key = `${language}/${decimals}/${fixed}`;
  let known = formats.get(key);
  if (!known) {
    const made = new Intl.NumberFormat(language, { maximumFractionDigits: decimals, minimumFractionDigits: fixed ? decimals : 0 });
    const parts = made.formatToParts(-1_234_567);
    const sign = (type: string) => parts.find((part) => part.type === type)?.value ?? '';
    const [group, minus] = [sign('group'), sign('minusSign')];
    known = (value) => {
      const text = made.format(value);
      const grouped = group !== '' && (value >= 1000 || value <= -1000 || typeof value === 'bigint') ? text.replaceAll(group, THIN) : text;
      return value < 0 || text.startsWith(minus) ? grouped.replace(minus, '\u2212') : grouped;
    };
    formats.set(key, known);
  }
  return known;
}

/** Exact for bigint; `fixed` keeps trailing zeros so that a changing number does not change its width. */
export function numberText(value: number | bigint, language: string, decimals = 0, fixed = false): string {
  return format(language, decimals, fixed)(value);
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
