/** The documents that ran last, by their tabs: so that a random seed that was good can be had again. */

import { create } from "zustand";
import { type End, graphAt, type Workflow } from "../core/document";
import { useTab } from "./session";

const useRan = create<Readonly<Record<string, Workflow>>>(() => ({}));

export const remember = (tab: string, document: Workflow) => useRan.setState({ [tab]: document });

/** The number that an input of the shown graph held when its document ran last. */
export function useLastSeed({ node, port }: End): number | undefined {
  const id = useTab((tab) => tab.id);
  const path = useTab((tab) => tab.path);
  return useRan((ran) => {
    const value = ran[id] && graphAt(ran[id], path).nodes[node]?.inputs?.[port];
    return typeof value === "number" ? value : undefined;
  });
}
