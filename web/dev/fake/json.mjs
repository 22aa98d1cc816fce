// JSON with exact integers, as the console writes it.

export function json(value) {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`;
  if (value !== null && typeof value === 'object') return `{${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${json(inner)}`).join(',')}}`;
  return JSON.stringify(value) ?? 'null';
}
