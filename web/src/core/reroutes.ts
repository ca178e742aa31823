/** Points that links are led over: a matter of looks alone, kept in the layout under the name of the link. */

import { type Graph, type Layout, type Point, type Wire, wireId, wireOf } from "./document";

export type Reroutes = NonNullable<Layout["reroutes"]>;

const NONE: readonly Point[] = [];

export function pointsOf(graph: Graph, link: string): readonly Point[] {
  return graph.layout?.reroutes?.[link] ?? NONE;
}

function withPoints(graph: Graph, link: string, points: readonly Point[]): Graph {
  const { [link]: _, ...rest } = graph.layout?.reroutes ?? {};
  return { ...graph, layout: { ...graph.layout, reroutes: points.length > 0 ? { ...rest, [link]: points } : rest } };
}

export function addPoint(graph: Graph, link: string, index: number, at: Point): Graph {
  return withPoints(graph, link, pointsOf(graph, link).toSpliced(index, 0, at));
}

/** The middle of the longest piece of a link, and which of its pieces that is. */
export function longestPiece(from: Point, over: readonly Point[], to: Point): { index: number; at: Point } {
  const all = [from, ...over, to];
  let best = { index: 0, at: from, length: -1 };
  for (const [i, [x, y]] of all.slice(0, -1).entries()) {
    const [nextX, nextY] = all[i + 1] ?? to;
    const length = Math.hypot(nextX - x, nextY - y);
    if (length > best.length)
      best = { index: i, at: [Math.round((x + nextX) / 2), Math.round((y + nextY) / 2)], length };
  }
  return best;
}

export function movePoint(graph: Graph, link: string, index: number, at: Point): Graph {
  return withPoints(graph, link, pointsOf(graph, link).with(index, at));
}

export function removePoints(graph: Graph, points: readonly { readonly link: string; readonly index: number }[]) {
  let changed = graph;
  for (const link of new Set(points.map((p) => p.link))) {
    const gone = new Set(points.filter((p) => p.link === link).map((p) => p.index));
    changed = withPoints(
      changed,
      link,
      pointsOf(graph, link).filter((_, i) => !gone.has(i)),
    );
  }
  return changed;
}

/** Reroutes under the names that their links have elsewhere, moved by `by`. Those without a name are left out. */
export function renamedReroutes(
  reroutes: Reroutes | undefined,
  name: (wire: Wire) => Wire | null,
  by: Point = [0, 0],
): Reroutes {
  const found: Record<string, readonly Point[]> = {};
  for (const [link, points] of Object.entries(reroutes ?? {})) {
    const wire = name(wireOf(link));
    if (wire) found[wireId(wire)] = points.map(([x, y]): Point => [x + by[0], y + by[1]]);
  }
  return found;
}
