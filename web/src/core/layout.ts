/** Places for nodes from their links. Dagre is loaded when it is first asked for. */

import { type Graph, type Point, wires } from "./document";
import type { Box } from "./sizes";

type Size = (id: string) => { readonly width: number; readonly height: number };

const NEXT = 64;
const BELOW = 28;
/** As much as a screen shows from top to bottom with every word readable. */
const SCREEN = 760;
/** The widest gap in a column that would be higher than a screen. */
const GAP = 56;

/** Places for `ids`, in rows along the links, the whole as near as can be to where it was.
 *
 * @param folded Whether nodes that only follow each other may stand below each other, so that more is seen at once.
 */
export async function arranged(
  graph: Graph,
  ids: readonly string[],
  size: Size,
  folded = false,
): Promise<Record<string, Point>> {
  const { graphlib, layout } = await import("@dagrejs/dagre");
  const drawn = new graphlib.Graph();
  drawn.setGraph({ rankdir: "LR", nodesep: BELOW, ranksep: NEXT, ranker: "network-simplex" });
  drawn.setDefaultEdgeLabel(() => ({}));
  const chosen = new Set(ids);
  for (const id of ids) drawn.setNode(id, { ...size(id) });
  for (const { source, target } of wires(graph)) {
    if (chosen.has(source.node) && chosen.has(target.node)) drawn.setEdge(source.node, target.node);
  }
  layout(drawn);
  const corner = (of: (id: string) => Point): Point => [
    Math.min(...ids.map((id) => of(id)[0])),
    Math.min(...ids.map((id) => of(id)[1])),
  ];
  const made = (id: string): Point => {
    const node = drawn.node(id) as { x: number; y: number; width: number; height: number };
    return [node.x - node.width / 2, node.y - node.height / 2];
  };
  const rows = inOrder(graph, ids, made, size);
  const at = folded ? fold(graph, ids, rows, size) : rows;
  const old = corner((id) => graph.layout?.nodes?.[id] ?? [0, 0]);
  const now = corner(at);
  return Object.fromEntries(
    ids.map((id) => {
      const [x, y] = at(id);
      return [id, [Math.round(x - now[0] + old[0]), Math.round(y - now[1] + old[1])] as Point];
    }),
  );
}

/** Places where high columns have no wide gaps, and a column of one node stands below the column before it, while that
 * feeds it and a screen has room. */
function fold(graph: Graph, ids: readonly string[], at: (id: string) => Point, size: Size): (id: string) => Point {
  const columns = new Map<number, string[]>();
  for (const id of ids) {
    const middle = Math.round(at(id)[0] + size(id).width / 2);
    columns.set(middle, [...(columns.get(middle) ?? []), id]);
  }
  const links = wires(graph);
  const groups: { readonly tops: Map<string, number>; height: number; folded: boolean }[] = [];
  for (const [, column] of [...columns].sort(([a], [b]) => a - b)) {
    const group = { tops: new Map<string, number>(), height: 0, folded: false };
    column.sort((a, b) => at(a)[1] - at(b)[1]);
    const [first = "", last = ""] = [column[0], column.at(-1)];
    const widest = at(last)[1] + size(last).height - at(first)[1] > SCREEN ? GAP : Number.POSITIVE_INFINITY;
    let before = at(first)[1];
    for (const id of column) {
      const [, top] = at(id);
      const gap = Math.min(top - before, widest);
      group.tops.set(id, group.height + gap);
      group.height += gap + size(id).height;
      before = top + size(id).height;
    }
    const over = groups.at(-1);
    const follows = links.some((w) => w.target.node === first && over?.tops.has(w.source.node));
    const grown = (over?.height ?? 0) + BELOW + group.height;
    if (over && (over.folded || over.tops.size === 1) && column.length === 1 && follows && grown <= SCREEN) {
      over.tops.set(first, over.height + BELOW);
      over.height = grown;
      over.folded = true;
    } else groups.push(group);
  }
  const middle = Math.max(...groups.map((g) => g.height)) / 2;
  const places = new Map<string, Point>();
  let x = 0;
  for (const { tops, height } of groups) {
    for (const [id, top] of tops) places.set(id, [x, middle - height / 2 + top]);
    x += Math.max(...[...tops.keys()].map((id) => size(id).width)) + NEXT;
  }
  return (id) => places.get(id) ?? at(id);
}

/** Places where nodes that nothing tells apart, such as two prompts, are in the order of the document. */
function inOrder(graph: Graph, ids: readonly string[], made: (id: string) => Point, size: Size): (id: string) => Point {
  const ties = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { source, target } of wires(graph)) {
    ties.get(source.node)?.push(`>${target.node}`);
    ties.get(target.node)?.push(`<${source.node}`);
  }
  const alike = new Map<string, string[]>();
  for (const id of ids) {
    const key = [size(id).height, made(id)[0], ...(ties.get(id) ?? []).sort()].join();
    alike.set(key, [...(alike.get(key) ?? []), id]);
  }
  const places = new Map<string, Point>();
  for (const group of alike.values()) {
    const sorted = group.map(made).sort((a, b) => a[1] - b[1]);
    group.forEach((id, i) => {
      places.set(id, sorted[i] ?? made(id));
    });
  }
  return (id) => places.get(id) ?? made(id);
}

/** A box put as far down as it must be to lie over none of the others. */
export function below(box: Box, others: Iterable<Box>): Box {
  let { y } = box;
  for (const b of [...others].sort((a, c) => a.y - c.y)) {
    const beside = box.x >= b.x + b.width + BELOW || b.x >= box.x + box.width + BELOW;
    if (!beside && y < b.y + b.height + BELOW && b.y < y + box.height + BELOW) y = b.y + b.height + BELOW;
  }
  return { ...box, y };
}

/** A graph with a place for every node: those that have none go below the rest, in the order of the document. */
export function placed(graph: Graph): Graph {
  const missing = Object.keys(graph.nodes).filter((id) => !graph.layout?.nodes?.[id]);
  if (missing.length === 0) return graph;
  const nodes: Record<string, Point> = { ...graph.layout?.nodes };
  const bottom = Math.max(0, ...Object.values(nodes).map((p) => p[1] + 320));
  missing.forEach((id, i) => {
    nodes[id] = [(i % 6) * 300, bottom + Math.floor(i / 6) * 340];
  });
  return { ...graph, layout: { ...graph.layout, nodes } };
}
