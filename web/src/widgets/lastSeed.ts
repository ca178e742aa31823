/** The seeds that ran last, by the place of their field: so that a random one that was good can be had again. */

import { create } from "zustand";
import type { End, Workflow } from "../core/document";
import { current, useTab } from "../state/session";

const useSeeds = create<Readonly<Record<string, number>>>(() => ({}));

const key = (tab: string, place: End) => `${tab}:${place.node}.${place.port}`;

export function useLastSeed(place: End): number | undefined {
  const tab = useTab((now) => now.id);
  return useSeeds((s) => s[key(tab, place)]);
}

/** Remember the whole numbers that a document ran with. */
export function rememberSeeds(document: Workflow): void {
  const { id } = current();
  const seeds: Record<string, number> = {};
  for (const [node, step] of Object.entries(document.nodes)) {
    for (const [port, value] of Object.entries(step.inputs ?? {})) {
      if (Number.isInteger(value)) seeds[key(id, { node, port })] = value as number;
    }
  }
  useSeeds.setState(seeds);
}
