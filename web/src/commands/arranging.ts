/** Commands that say where things lie: layout, alignment, frames, single steps. */

import { isLive } from "../canvas/live";
import { dropped, placesOf } from "../canvas/moving";
import * as canvas from "../canvas/state";
import type { Point } from "../core/document";
import * as edits from "../core/edits";
import { renamedReroutes } from "../core/reroutes";
import { around, boxes, grownBoxes } from "../state/geometry";
import { chosenNodes, current, currentDocument, currentGraph, edit } from "../state/session";
import { complain, inform } from "../state/view";
import { t } from "../text";

export async function arrange(): Promise<void> {
  const chosen = chosenNodes();
  const graph = currentGraph();
  const ids = chosen.length > 1 ? chosen : Object.keys(graph.nodes);
  const sizes = grownBoxes(graph, currentDocument());
  try {
    const { arranged } = await import("../core/layout");
    const at = await arranged(graph, ids, (id) => sizes.get(id) ?? { width: 0, height: 0 });
    edit(t.edits.arrange, (now) => {
      const reroutes = renamedReroutes(now.layout?.reroutes, (w) =>
        w.source.node in at && w.target.node in at ? null : w,
      );
      return edits.withLayout(edits.place(now, at), { reroutes });
    });
    if (chosen.length <= 1) canvas.showAll();
  } catch (error) {
    complain(error);
  }
}

/** The boxes of the selected nodes; none, and a word of it, where they are fewer than what is asked for needs. */
function chosenBoxes(least: number) {
  const all = boxes(currentGraph(), currentDocument(), isLive);
  const found = chosenNodes().flatMap((id) => {
    const box = all.get(id);
    return box ? [{ id, at: [box.x, box.y] as const, size: [box.width, box.height] as const }] : [];
  });
  if (found.length >= least) return found;
  inform(t.canvas.tooFew(least));
  return [];
}

/** Move nodes along one axis, each to its place. */
function moveAlong(axis: 0 | 1, places: readonly (readonly [string, Point, number])[]): void {
  if (places.length === 0) return;
  const moved = places.map(([id, [x, y], to]): [string, Point] => [id, axis === 0 ? [to, y] : [x, to]]);
  edit(t.edits.align, (graph) => edits.place(graph, Object.fromEntries(moved)));
}

/** Align the selected nodes: `side` 0 is left or top, 1 right or bottom. */
export function align(axis: 0 | 1, side: 0 | 1): void {
  const items = chosenBoxes(2);
  const ends = items.map((i) => i.at[axis] + side * i.size[axis]);
  const end = side === 0 ? Math.min(...ends) : Math.max(...ends);
  moveAlong(
    axis,
    items.map((i) => [i.id, i.at, end - side * i.size[axis]]),
  );
}

/** Give the selected nodes equal room between them, from the first to the last. */
export function distribute(axis: 0 | 1): void {
  const items = chosenBoxes(3).sort((a, b) => a.at[axis] - b.at[axis]);
  const [first, last] = [items[0], items.at(-1)];
  if (!first || !last) return;
  const room = last.at[axis] + last.size[axis] - first.at[axis] - items.reduce((sum, i) => sum + i.size[axis], 0);
  const gap = Math.max(24, room / (items.length - 1));
  let to = first.at[axis];
  moveAlong(
    axis,
    items.map((i) => {
      const at = Math.round(to);
      to += i.size[axis] + gap;
      return [i.id, i.at, at];
    }),
  );
}

export function collapse(): void {
  const ids = chosenNodes();
  edit(t.edits.collapse, (graph) => {
    const open = ids.some((id) => !graph.layout?.looks?.[id]?.collapsed);
    return edits.withLook(graph, ids, { collapsed: open ? true : undefined });
  });
}

const MARGIN = 24;

export function frame(): void {
  const all = boxes(currentGraph(), currentDocument(), isLive);
  const box = around(chosenNodes().flatMap((id) => all.get(id) ?? []));
  if (!box) return;
  const at: Point = [box.x - MARGIN, box.y - MARGIN - 28];
  const size: Point = [box.width + MARGIN * 2, box.height + MARGIN * 2 + 28];
  edit(t.edits.group, (graph) => edits.addGroup(graph, at, size, t.canvas.group).graph);
}

export function nudge(x: number, y: number): void {
  const { selection } = current();
  edit(
    t.edits.move,
    (graph) => {
      const moved = Object.entries(placesOf(graph, selection)).map(([id, at]) => [id, [at[0] + x, at[1] + y] as const]);
      return dropped(graph, Object.fromEntries(moved));
    },
    `nudge ${selection.join()}`,
  );
}
