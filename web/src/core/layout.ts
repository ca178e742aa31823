/** Places for nodes from their links. Dagre is loaded when it is first asked for. */

import { type Graph, type Point, wires } from "./document";

/** Places for `ids`, in rows along the links, the whole as near as can be to where it was. */
export async function arranged(
  graph: Graph,
  ids: readonly string[],
  size: (id: string) => { width: number; height: number },
): Promise<Record<string, Point>> {
  const { graphlib, layout } = await import("@dagrejs/dagre");
  const drawn = new graphlib.Graph();
  drawn.setGraph({ rankdir: "LR", nodesep: 28, ranksep: 64, ranker: "network-simplex" });
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
  const at = inOrder(graph, ids, made, size);
  const old = corner((id) => graph.layout?.nodes?.[id] ?? [0, 0]);
  const now = corner(at);
  return Object.fromEntries(
    ids.map((id) => {
      const [x, y] = at(id);
      return [id, [Math.round(x - now[0] + old[0]), Math.round(y - now[1] + old[1])] as Point];
    }),
  );
}

/** Places where nodes that nothing tells apart, such as two prompts, are in the order of the document. */
function inOrder(
  graph: Graph,
  ids: readonly string[],
  made: (id: string) => Point,
  size: (id: string) => { width: number; height: number },
): (id: string) => Point {
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
