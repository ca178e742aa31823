/** The version that the shown document is compared with. */

import { create } from "zustand";
import { type Difference, difference } from "../core/compare";
import { graphAt, type Workflow } from "../core/document";
import { graphOf, type Tab, useTab } from "./session";

interface Against {
  readonly document: Workflow;
  /** What it is called. */
  readonly name: string;
  /** The tab that is compared with it. */
  readonly tab: string;
}

export const useAgainst = create<{ against: Against | null }>(() => ({ against: null }));

let last: { before: unknown; after: unknown; found: Difference } | undefined;

/** How the shown graph differs from the version it is compared with; null while it is not. */
export function differenceOf(tab: Tab, against: Against | null): Difference | null {
  if (!against || against.tab !== tab.id) return null;
  const before = graphAt(against.document, tab.path);
  const after = graphOf(tab);
  if (last?.before !== before || last.after !== after) last = { before, after, found: difference(before, after) };
  return last.found;
}

export function useDifference<T>(select: (found: Difference | null) => T): T {
  const against = useAgainst((s) => s.against);
  return useTab((tab) => select(differenceOf(tab, against)));
}
