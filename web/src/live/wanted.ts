/** Which series the stream should carry: counted wishes of what is on the page. */

/** The server takes at most 500. */
export const WANTED_MAX = 500;

export class Wanted {
  readonly #counts = new Map<number, number>();

  add(ids: readonly number[]): void {
    for (const id of ids) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  remove(ids: readonly number[]): void {
    for (const id of ids) {
      const left = (this.#counts.get(id) ?? 0) - 1;
      if (left > 0) this.#counts.set(id, left);
      else this.#counts.delete(id);
    }
  }

  /** In order of first wish; what exceeds the server's limit is left out. */
  ids(): number[] {
    return [...this.#counts.keys()].slice(0, WANTED_MAX);
  }

  /**
   * Whether a stream that carries `carried` must be reopened: when it lacks something, or carries far more than is
   * wanted (scrolling must not reopen it for every row that leaves).
   */
  outgrew(carried: ReadonlySet<number>): boolean {
    const ids = this.ids();
    return ids.some((id) => !carried.has(id)) || carried.size > 2 * ids.length + 100;
  }
}
