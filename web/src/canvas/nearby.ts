/** Which nodes React Flow is given: those near the view. It looks at every node and link that it has whenever anything
 * changes, so that a large graph would make each small change dear. */

import { useStore } from "@xyflow/react";
import { useRef } from "react";
import type { Catalogue } from "../core/catalogue";
import { feeders, type Graph, type Workflow } from "../core/document";
import { around, type Box, boxes } from "../state/geometry";
import { isLive } from "./live";

/** More changed nodes than this are found as all of them are. */
const FEW = 20;
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

interface Asked {
  readonly graph: Graph;
  readonly document: Workflow;
  readonly area: Box;
  /** Nodes that are wanted wherever they are, such as those that are dragged. */
  readonly held: readonly string[];
  /** What sizes depend on beside the document. */
  readonly types: Catalogue;
  readonly live: string;
}

/** A finder of the nodes in an area, with the ends of the links that pass there. It remembers: where only values or links
 * of a few of them changed, it looks at those alone, and keeps what was near. */
export function nearFinder(): (asked: Asked) => ReadonlySet<string> {
  let last: Asked | undefined;
  let near: ReadonlySet<string> = new Set();
  return (asked) => {
    const changed = last && changedSteps(last, asked);
    near = changed?.every((id) => near.has(id)) ? withFeeders(near, asked.graph, changed) : nearby(asked);
    last = asked;
    return near;
  };
}

/** The nodes whose values or links changed; undefined where more than that did. */
function changedSteps(before: Asked, now: Asked): string[] | undefined {
  const same =
    before.area === now.area &&
    before.types === now.types &&
    before.live === now.live &&
    before.graph.layout === now.graph.layout &&
    before.document.definitions === now.document.definitions &&
    now.held.every((id) => before.held.includes(id));
  if (!same) return undefined;
  const [old, nodes] = [before.graph.nodes, now.graph.nodes];
  const ids = Object.keys(nodes);
  if (ids.length !== Object.keys(old).length) return undefined;
  const changed = ids.filter((id) => nodes[id] !== old[id]);
  return changed.length <= FEW && changed.every((id) => id in old) ? changed : undefined;
}

/** `near` with what feeds these nodes. */
function withFeeders(near: ReadonlySet<string>, graph: Graph, changed: readonly string[]): ReadonlySet<string> {
  const found = new Set(near);
  for (const id of changed) {
    const step = graph.nodes[id];
    for (const source of step ? feeders(step) : []) found.add(source);
  }
  return found.size === near.size ? near : found;
}

function nearby({ graph, document, area, held }: Asked): ReadonlySet<string> {
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
