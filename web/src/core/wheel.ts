/** Whether a wheel or a pad turns, told from what the browser says of the turn. */

export interface Turn {
  readonly deltaX: number;
  readonly deltaY: number;
  /** 0 for pixels, 1 for lines, 2 for pages. */
  readonly deltaMode: number;
  /** In 120ths of a notch, where the browser tells it. */
  readonly wheelDeltaY?: number;
  readonly ctrlKey: boolean;
  readonly shiftKey: boolean;
}

export type Device = "wheel" | "pad";

const NOTCH = 120;
/** Fingers begin slowly; one notch of a wheel is at least this far, in pixels. */
const LEAST = 40;

/** `null` where the turn does not tell: pinching looks like Ctrl and a wheel, and Shift turns a wheel aside. */
export function deviceOf(turn: Turn): Device | null {
  if (turn.deltaMode !== 0) return "wheel"; // asked first: Firefox counts in pixels for whoever did not ask
  if (turn.ctrlKey || turn.shiftKey || (turn.deltaX === 0 && turn.deltaY === 0)) return null;
  if (turn.deltaX !== 0) return "pad";
  if (turn.wheelDeltaY && turn.wheelDeltaY % NOTCH === 0) return "wheel"; // a notch may be few pixels on a Mac
  return Math.abs(turn.deltaY) < LEAST ? "pad" : "wheel";
}
