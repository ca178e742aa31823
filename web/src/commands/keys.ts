/** The keys of commands as they are on this browser. */

import { create } from "zustand";
import { type Bindable, type Custom, keysOf, rebound, restored } from "../core/keys";

const PLACE = "nodegraph.keys";

function stored(): Custom {
  try {
    const found: unknown = JSON.parse(globalThis.localStorage?.getItem(PLACE) ?? "{}");
    return typeof found === "object" && found !== null ? (found as Custom) : {};
  } catch {
    return {};
  }
}

export const useKeys = create<{ custom: Custom }>(() => ({ custom: stored() }));

function keep(custom: Custom): void {
  useKeys.setState({ custom });
  if (Object.keys(custom).length > 0) localStorage.setItem(PLACE, JSON.stringify(custom));
  else localStorage.removeItem(PLACE);
}

export const bind = (commands: readonly Bindable[], id: string, key: string) =>
  keep(rebound(commands, useKeys.getState().custom, id, key));
export const restore = (commands: readonly Bindable[], id: string) =>
  keep(restored(commands, useKeys.getState().custom, id));
export const restoreAll = () => keep({});

export function useKeysOf(command: Bindable): readonly string[] {
  return useKeys((s) => keysOf(command, s.custom));
}
