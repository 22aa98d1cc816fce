/** Series ids in an address: `1,2,3`. */

/** Whole numbers in order of mention, each once; all else is left out. */
export function idList(text: string | undefined): number[] {
  if (!text) return [];
  const ids = text.split(',').map((part) => (/^\d+$/.test(part) ? Number(part) : NaN));
  return [...new Set(ids.filter((id) => Number.isSafeInteger(id)))];
}

/** Without the id when it is there, with it at the end when it is not. */
export function toggled(ids: readonly number[], id: number): number[] {
  return ids.includes(id) ? ids.filter((each) => each !== id) : [...ids, id];
}
