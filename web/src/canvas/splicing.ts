/** Finding the links that a dragged node lies on, or that a stroke cuts. */

import { along, cross } from "../core/curve";
import { type Point, type Wire, wireId, wires } from "../core/document";
import { splice } from "../core/edits";
import { pointsOf } from "../core/reroutes";
import { HEADER } from "../core/sizes";
import { fits, known } from "../state/catalogue";
import { boxes, linkEnds } from "../state/geometry";
import { currentDocument, currentGraph } from "../state/session";
import { isLive } from "./live";

/** The link under the head of a node, the nearest to its middle, if the node can be put into it. */
export function linkUnder(id: string, at: { x: number; y: number }): string | undefined {
  const graph = currentGraph();
  const document = currentDocument();
  const all = wires(graph);
  if (all.some((w) => w.source.node === id || w.target.node === id)) return undefined;
  const places = boxes(graph, document, isLive);
  const own = places.get(id);
  if (!own) return undefined;
  const ends = linkEnds(graph, document, places);
  const [left, right, bottom] = [at.x + 20, at.x + own.width - 20, at.y + Math.min(own.height, 90)];
  const met: { wire: Wire; far: number }[] = [];
  for (const wire of all) {
    const [from, to] = ends(wire) ?? [];
    if (!from || !to) continue;
    const inside = along(from, pointsOf(graph, wireId(wire)), to).filter(
      ([x, y]) => x > left && x < right && y > at.y && y < bottom,
    );
    const far = inside.map(([x, y]) => Math.hypot(x - (left + right) / 2, y - at.y - HEADER / 2));
    if (far.length > 0) met.push({ wire, far: Math.min(...far) });
  }
  met.sort((a, b) => a.far - b.far);
  const found = met.find(({ wire }) => splice(graph, id, wire, document, known(), fits()));
  return found && wireId(found.wire);
}

/** The links that a stroke through these points cuts. */
export function linksCut(stroke: readonly Point[]): string[] {
  const graph = currentGraph();
  const document = currentDocument();
  const ends = linkEnds(graph, document, boxes(graph, document, isLive));
  return wires(graph).flatMap((wire) => {
    const [from, to] = ends(wire) ?? [];
    const name = wireId(wire);
    return from && to && cross(along(from, pointsOf(graph, name), to), stroke) ? [name] : [];
  });
}
