/** How often node types were added here: those come first where a link waits. */

const KEY = "nodegraph.usage";

export function usedMost(): ReadonlyMap<string, number> {
  try {
    return new Map(Object.entries(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Record<string, number>));
  } catch {
    return new Map();
  }
}

export function countUse(type: string): void {
  const counts = Object.fromEntries(usedMost());
  counts[type] = (counts[type] ?? 0) + 1;
  localStorage.setItem(KEY, JSON.stringify(counts));
}
