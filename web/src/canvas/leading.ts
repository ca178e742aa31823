/** Leading links over points: by double click where it was pressed, by keyboard in the middle of the longest piece. */

import { pieceAt } from "../core/curve";
import { type Point, wireOf } from "../core/document";
import { addPoint, longestPiece, pointsOf } from "../core/reroutes";
import { boxes, linkEnds } from "../state/geometry";
import { currentDocument, currentGraph, edit, select } from "../state/session";
import { announce } from "../state/view";
import { t } from "../text";
import { pointNode } from "./flow";
import { focusNode } from "./focus";
import { isLive } from "./live";

/** Lead a link over a point, at `at` or else halfway, and select it so that Shift and the arrows move it. */
export function leadOver(link: string, at?: Point): void {
  const graph = currentGraph();
  const document = currentDocument();
  const { source, target } = wireOf(link);
  const [from, to] = linkEnds(graph, document, boxes(graph, document, isLive))(wireOf(link)) ?? [];
  if (!from || !to) return;
  const over = pointsOf(graph, link);
  const made = at ? { index: pieceAt(from, over, to, at), at } : longestPiece(from, over, to);
  edit(t.edits.point, (now) => addPoint(now, link, made.index, made.at));
  if (at) return;
  const id = pointNode(link, made.index);
  select([id]);
  focusNode(id);
  announce(t.canvas.point(`${source.node}.${source.port}`, `${target.node}.${target.port}`));
}
