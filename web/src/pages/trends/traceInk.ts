/** Colour and dash of the nth trace: six calm colours, solid, then dashed. Never red, amber or violet. */

export interface Ink {
  /** Name of the token in theme.css. */
  token: string;
  /** Dash pattern in pixels; empty for solid. */
  dash: number[];
}

const COLOURS = 6;

export function inkOf(index: number): Ink {
  return { token: `--trace-${(index % COLOURS) + 1}`, dash: index >= COLOURS ? [6, 4] : [] };
}

export function cssColour(token: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}
