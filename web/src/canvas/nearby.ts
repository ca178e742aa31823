/** Which nodes React Flow is given: those near the view. It looks at every node and link that it has whenever anything
 * changes, so that a large graph would make each small change dear. */

import { useStore } from "@xyflow/react";
import { useRef } from "react";
import { feeders, type Graph, type Workflow } from "../core/document";
import { around, type Box, boxes } from "../state/geometry";
import { isLive } from "./live";

/** How far around the view, in shares of it. */
const ROOM = 0.3;

/** The part of the graph around the view. It stays the same object until the view leaves it or becomes far smaller. */
export function useArea(): Box {
  const last = useRef<Box>({ x: 0, y: 0, width: 0, height: 0 });
  return useStore(({ transform: [x, y, zoom], width, height }) => {
    const view = {
      x: -x / zoom,
      y: -y / zoom,
      width: (width || innerWidth) / zoom,
      height: (height || innerHeight) / zoom,
    };
    const old = last.current;
    const inside =
      view.x >= old.x &&
      view.y >= old.y &&
      view.x + view.width <= old.x + old.width &&
      view.y + view.height <= old.y + old.height;
    if (inside && old.width < view.width * 3) return old;
    const [left, top] = [view.width * ROOM, view.height * ROOM];
    last.current = {
      x: view.x - left,
      y: view.y - top,
      width: view.width + left * 2,
      height: view.height + top * 2,
    };
    return last.current;
  });
}

function meet(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The nodes in an area and `held`, such as those that are dragged, with the ends of the links that pass there. */
export function nearby(graph: Graph, document: Workflow, area: Box, held: Iterable<string>): ReadonlySet<string> {
  const places = boxes(graph, document, isLive);
  const kept = new Set(held);
  const found = new Set(kept);
  for (const [id, box] of places) if (meet(box, area)) found.add(id);
  for (const [id, step] of Object.entries(graph.nodes)) {
    for (const source of feeders(step)) {
      if (found.has(source) && found.has(id)) continue;
      const [from, to] = [places.get(source), places.get(id)];
      const whole = from && to && around([from, to]);
      if (whole && (kept.has(source) || kept.has(id) || meet(whole, area))) found.add(source).add(id);
    }
  }
  return found;
}
