/** Finding the link that a dragged node lies on. */

import { type Point, wireId, wires } from "../core/document";
import { splice } from "../core/edits";
import { portTop } from "../core/sizes";
import { fits, known } from "../state/catalogue";
import { boxes, shapeOfStep } from "../state/geometry";
import { currentDocument, currentGraph } from "../state/session";
import { along } from "./curve";
import { isLive } from "./live";

/** The link under the head of a node, if the node can be put into it. */
export function linkUnder(id: string, at: { x: number; y: number }): string | undefined {
  const graph = currentGraph();
  const document = currentDocument();
  const all = wires(graph);
  if (all.some((w) => w.source.node === id || w.target.node === id)) return undefined;
  const places = boxes(graph, document, isLive);
  const own = places.get(id);
  if (!own) return undefined;
  const point = (node: string, port: string, side: "input" | "output"): Point | undefined => {
    const box = places.get(node);
    const step = graph.nodes[node];
    if (!box || !step) return undefined;
    const rows = shapeOfStep(step, graph.layout?.looks?.[node], document, false).rows;
    const row = rows.find((r) => r[side]?.name === port);
    return row && [box.x + (side === "output" ? box.width : 0), box.y + portTop(row)];
  };
  for (const wire of all) {
    const a = point(wire.source.node, wire.source.port, "output");
    const b = point(wire.target.node, wire.target.port, "input");
    if (!a || !b) continue;
    const crosses = along(a[0], a[1], b[0], b[1]).some(
      ([x, y]) => x > at.x + 20 && x < at.x + own.width - 20 && y > at.y && y < at.y + Math.min(own.height, 90),
    );
    if (crosses && splice(graph, id, wire, document, known(), fits())) return wireId(wire);
  }
  return undefined;
}
