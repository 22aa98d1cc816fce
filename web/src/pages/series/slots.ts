/** Places on the page that rows take over from each other, so that scrolling changes texts instead of making elements. */

/** At rest the elements stand in the order of the rows, which is the order in which they are read out. */
interface Placed<T> {
  slot: number;
  item: T;
}

export class Slots {
  #taken = new Map<string, number>();

  /**
   * Gives each row in sight its slot: the one that it has, or one of the same kind that a row out of sight has left.
   * `moving` orders by slot, so that no element moves while the rows fly by.
   */
  place<T extends { key: React.Key }>(items: readonly T[], kindOf: (item: T) => string, moving: boolean): Placed<T>[] {
    const name = (item: T) => `${kindOf(item)} ${item.key}`;
    const before = this.#taken;
    const kept = new Set(items.map(name));
    const free = new Map<string, number[]>();
    let next = 0;
    for (const [taker, slot] of before) {
      next = Math.max(next, slot + 1);
      if (kept.has(taker)) continue;
      const kind = taker.slice(0, taker.indexOf(' '));
      const left = free.get(kind);
      if (left) left.push(slot);
      else free.set(kind, [slot]);
    }
    const taken = new Map<string, number>();
    const placed = items.map((item) => {
      const slot = before.get(name(item)) ?? free.get(kindOf(item))?.shift() ?? next++;
      taken.set(name(item), slot);
      return { slot, item };
    });
    this.#taken = taken;
    return moving ? placed.sort((a, b) => a.slot - b.slot) : placed;
  }
}
