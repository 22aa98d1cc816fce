// Processor time as the system counts it. The browser's own counters leave things out, such as canvases that are drawn
// without a graphics card; these do not. Linux alone; elsewhere nothing is said.
import { existsSync, readFileSync, readdirSync } from 'node:fs';

const TICK_MILLIS = 10;

/** Parent and milliseconds; null for what is gone. */
function statOf(path) {
  try {
    // The name in parentheses may hold spaces.
    const fields = readFileSync(`${path}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return { parent: Number(fields[1]), millis: (Number(fields[11]) + Number(fields[12])) * TICK_MILLIS };
  } catch {
    return null;
  }
}

export function millisOfThread({ pid, tid }) {
  return statOf(`/proc/${pid}/task/${tid}`)?.millis ?? null;
}

/** Of all processes that a process has started, and that these have started. */
export function millisOfChildren(root) {
  if (!existsSync('/proc')) return null;
  const all = new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => [Number(name), statOf(`/proc/${name}`)]));
  const descends = (pid) => {
    const parent = all.get(pid)?.parent ?? 0;
    return parent === root || (parent > 1 && descends(parent));
  };
  return [...all].reduce((sum, [pid, stat]) => sum + (stat && descends(pid) ? stat.millis : 0), 0);
}
