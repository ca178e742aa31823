/** The order in which runs wait: by priority, and of equal ones the older first. */

export interface Waiting {
  readonly id: string;
  readonly priority: number;
  readonly created: number;
}

export function inLine(a: Waiting, b: Waiting): number {
  return b.priority - a.priority || a.created - b.created;
}

/** The priorities to change to put one of those that wait a place sooner (-1) or later (1). None is lowered: what is
 * queued next comes behind them all. */
export function moved(waiting: readonly Waiting[], id: string, by: 1 | -1): ReadonlyMap<string, number> {
  const wanted = waiting.toSorted(inLine);
  const from = wanted.findIndex((each) => each.id === id);
  const [one, other] = [wanted[from], wanted[from + by]];
  const changed = new Map<string, number>();
  if (!one || !other) return changed;
  wanted[from] = other;
  wanted[from + by] = one;
  let behind: Waiting | undefined;
  for (const each of wanted.toReversed()) {
    let next = each;
    if (behind && inLine(next, behind) > 0) {
      next = { ...each, priority: behind.priority };
      if (inLine(next, behind) > 0) next = { ...each, priority: behind.priority + 1 };
      changed.set(each.id, next.priority);
    }
    behind = next;
  }
  return changed;
}
