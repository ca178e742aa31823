/** Moving what is on the canvas: nodes, notes, frames with what lies in them, and points of links. */

import type { Chosen } from "../core/clipboard";
import type { Graph, Group, Point } from "../core/document";
import { changeGroup, changeNote, place } from "../core/edits";
import { movePoint } from "../core/reroutes";
import { snapped } from "../core/snapping";
import { around, type Box, boxes } from "../state/geometry";
import { currentDocument, currentGraph } from "../state/session";
import { groupId, groupNode, noteId, noteNode, pointId, pointNode, RADIUS } from "./flow";
import { isLive } from "./live";
import { paneBox, pointer, useCanvas } from "./state";

/** The graph with things at other places, by their ids on the canvas. */
export function dropped(graph: Graph, moved: Readonly<Record<string, Point>>): Graph {
  const steps: Record<string, Point> = {};
  let changed = graph;
  for (const [id, [x, y]] of Object.entries(moved)) {
    const at: Point = [Math.round(x), Math.round(y)];
    const note = noteId(id);
    const group = groupId(id);
    const point = pointId(id);
    if (note !== undefined) changed = changeNote(changed, note, { at });
    else if (group !== undefined) changed = changeGroup(changed, group, { at });
    else if (point) changed = movePoint(changed, point.link, point.index, [at[0] + RADIUS, at[1] + RADIUS]);
    else steps[id] = at;
  }
  return place(changed, steps);
}

/** Where things are on the canvas, by their ids there. */
export function placesOf(graph: Graph, ids: readonly string[]): Record<string, Point> {
  const found: Record<string, Point> = {};
  for (const id of ids) {
    const point = pointId(id);
    const led = point && graph.layout?.reroutes?.[point.link]?.[point.index];
    const at =
      graph.layout?.notes?.find((n) => n.id === noteId(id))?.at ??
      graph.layout?.groups?.find((g) => g.id === groupId(id))?.at ??
      (led && ([led[0] - RADIUS, led[1] - RADIUS] as const)) ??
      (id in graph.nodes ? (graph.layout?.nodes?.[id] ?? [0, 0]) : undefined);
    if (at) found[id] = at;
  }
  return found;
}

/** With a frame moves what lies in it. */
export function withGrouped(moved: Readonly<Record<string, Point>>): Record<string, Point> {
  const graph = currentGraph();
  const made: Record<string, Point> = { ...moved };
  for (const [id, at] of Object.entries(moved)) {
    const group = graph.layout?.groups?.find((g) => g.id === groupId(id));
    if (!group) continue;
    const by: Point = [at[0] - group.at[0], at[1] - group.at[1]];
    for (const [other, [x, y]] of Object.entries(placesOf(graph, within(graph, group)))) {
      if (!(other in moved)) made[other] = [x + by[0], y + by[1]];
    }
  }
  return made;
}

/** What lies in a frame, by its ids on the canvas. */
function within(graph: Graph, { id: own, at, size }: Group): string[] {
  const found: string[] = [];
  const take = (id: string, x: number, y: number, width: number, height: number) => {
    if (x >= at[0] && y >= at[1] && x + width <= at[0] + size[0] && y + height <= at[1] + size[1]) found.push(id);
  };
  for (const [id, box] of boxes(graph, currentDocument(), isLive)) take(id, box.x, box.y, box.width, box.height);
  for (const note of graph.layout?.notes ?? []) take(noteNode(note.id), ...note.at, ...note.size);
  for (const other of graph.layout?.groups ?? []) {
    if (other.id !== own) take(groupNode(other.id), ...other.at, ...other.size);
  }
  for (const [link, points] of Object.entries(graph.layout?.reroutes ?? {})) {
    points.forEach(([x, y], i) => {
      take(pointNode(link, i), x - RADIUS, y - RADIUS, RADIUS * 2, RADIUS * 2);
    });
  }
  return found;
}

/** What is copied of things on the canvas: nodes, notes, and frames with what lies in them. */
export function copied(ids: readonly string[]): Chosen {
  const graph = currentGraph();
  const all = new Set(ids);
  for (const id of ids) {
    const group = graph.layout?.groups?.find((g) => g.id === groupId(id));
    for (const inside of group ? within(graph, group) : []) all.add(inside);
  }
  const chosen = [...all];
  return {
    nodes: chosen.filter((id) => id in graph.nodes),
    notes: chosen.flatMap((id) => noteId(id) ?? []),
    groups: chosen.flatMap((id) => groupId(id) ?? []),
  };
}

/** How near an edge must be to hold a dragged node, on screen. */
const REACH = 6;

/** What is dragged, held by the edges of the nodes in view that stay. Ctrl lets it go. */
export function held(moved: Readonly<Record<string, Point>>): Readonly<Record<string, Point>> {
  const { flow, guides } = useCanvas.getState();
  const graph = currentGraph();
  const ids = Object.keys(moved).filter((id) => id in graph.nodes);
  const pane = paneBox();
  const free = () => {
    if (guides.length > 0) useCanvas.setState({ guides: [] });
    return moved;
  };
  if (!flow || !pane || ids.length === 0 || pointer.free) return free();
  const { x, y, zoom } = flow.getViewport();
  const seen = { left: -x / zoom, top: -y / zoom, right: (pane.width - x) / zoom, bottom: (pane.height - y) / zoom };
  const places = boxes(graph, currentDocument(), isLive);
  const dragged = ids.flatMap((id): Box[] => {
    const [box, at] = [places.get(id), moved[id]];
    return box && at ? [{ ...box, x: at[0], y: at[1] }] : [];
  });
  const others = [...places].flatMap(([id, b]) => {
    const outside = b.x + b.width < seen.left || b.x > seen.right || b.y + b.height < seen.top || b.y > seen.bottom;
    return id in moved || outside ? [] : [b];
  });
  const whole = around(dragged);
  if (!whole) return free();
  const found = snapped(whole, others, REACH / zoom);
  if (found.guides.length === 0) return free();
  useCanvas.setState({ guides: found.guides });
  const [dx, dy] = found.by;
  return Object.fromEntries(Object.entries(moved).map(([id, at]) => [id, [at[0] + dx, at[1] + dy] as const]));
}
