/** Functions that keep their identity and always do what their newest version does; for rows that must not be drawn anew. */
import { useLayoutEffect, useState } from 'react';

type Acts = Record<string, (...args: never[]) => void>;

class Relay<T extends Acts> {
  #newest: T;
  readonly stable: T;

  constructor(acts: T) {
    this.#newest = acts;
    const names = Object.keys(acts) as (keyof T)[];
    this.stable = Object.fromEntries(names.map((name) => [name, (...args: never[]) => this.#newest[name]?.(...args)])) as T;
  }

  renew(acts: T): void {
    this.#newest = acts;
  }
}

export function useStable<T extends Acts>(acts: T): T {
  const [relay] = useState(() => new Relay(acts));
  useLayoutEffect(() => relay.renew(acts));
  return relay.stable;
}
