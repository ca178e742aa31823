/** Undo and redo. Documents share what did not change, so keeping whole ones is cheap, and undoing is exact. */

import type { Workflow } from "./document";

export interface History {
  readonly present: Workflow;
  readonly past: readonly Moment[];
  readonly future: readonly Moment[];
}

interface Moment {
  readonly document: Workflow;
  /** What was done to it next, in words: "undo move". */
  readonly did: string;
  readonly merge: string | undefined;
  readonly time: number;
}

const LIMIT = 500;
const PAUSE = 900;

export function history(document: Workflow): History {
  return { present: document, past: [], future: [] };
}

/** The history after an edit. Edits with the same `merge` that follow each other closely are one step to undo. */
export function did(now: History, next: Workflow, what: string, time: number, merge?: string): History {
  if (next === now.present) return now;
  const last = now.past.at(-1);
  if (merge !== undefined && last?.merge === merge && time - last.time < PAUSE && now.future.length === 0) {
    return { present: next, past: [...now.past.slice(0, -1), { ...last, time }], future: [] };
  }
  const past = [...now.past.slice(-LIMIT + 1), { document: now.present, did: what, merge, time }];
  return { present: next, past, future: [] };
}

/** A change that is not the user's own, such as the next seed after a run: it is not a step to undo. */
export function amend(now: History, next: Workflow): History {
  return next === now.present ? now : { ...now, present: next };
}

export function undo(now: History): History {
  const last = now.past.at(-1);
  if (!last) return now;
  const undone = { ...last, document: now.present, merge: undefined };
  return { present: last.document, past: now.past.slice(0, -1), future: [...now.future, undone] };
}

export function redo(now: History): History {
  const next = now.future.at(-1);
  if (!next) return now;
  const redone = { ...next, document: now.present, merge: undefined };
  return { present: next.document, past: [...now.past, redone], future: now.future.slice(0, -1) };
}
