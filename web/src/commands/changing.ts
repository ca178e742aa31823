/** Commands that change what the graph is made of. */

import { groupId, noteId, noteNode, pointId } from "../canvas/flow";
import { focusNode } from "../canvas/focus";
import { leadOver } from "../canvas/leading";
import { cutFrom } from "../canvas/linking";
import * as canvas from "../canvas/state";
import type { Mode, Point } from "../core/document";
import * as edits from "../core/edits";
import { removePoints } from "../core/reroutes";
import { gather, unfold } from "../core/subgraphs";
import { fits, known } from "../state/catalogue";
import { chosenNodes, current, currentGraph, edit, editDocument, select, step } from "../state/session";
import { announce, openDialog } from "../state/view";
import { t } from "../text";

export function back(way: "undo" | "redo"): void {
  const what = step(way);
  if (what === undefined) announce(way === "undo" ? t.edits.nothing : t.edits.nothingRedo);
  else announce(way === "undo" ? t.edits.undone(what) : t.edits.redone(what));
}

export function remove(): void {
  const { selection } = current();
  if (selection.length === 0) return;
  edit(t.edits.remove, (graph) => {
    let changed = edits.removeNodes(graph, chosenNodes());
    changed = removePoints(
      changed,
      selection.flatMap((id) => pointId(id) ?? []),
    );
    for (const id of selection.filter((i) => i.includes(">") && !pointId(i))) changed = cutFrom(changed, id);
    return edits.removeDecoration(
      changed,
      selection.flatMap((id) => noteId(id) ?? groupId(id) ?? []),
    );
  });
  select([]);
}

export function dissolve(): void {
  const ids = chosenNodes();
  edit(t.edits.dissolve, (graph, document) => edits.dissolve(graph, ids, document, known(), fits()));
  select([]);
}

export function setMode(mode: Mode): void {
  const ids = chosenNodes();
  if (ids.length === 0) return;
  edit(t.edits[mode], (graph) => edits.toggleMode(graph, ids, mode));
  const now = currentGraph().nodes[ids[0] ?? ""]?.mode;
  announce(now === undefined ? t.modes.run : t.modes[now]);
}

export function openPalette(): void {
  const { inside, x, y } = canvas.pointer;
  const screen: Point | null = inside ? [x, y] : null;
  openDialog({ kind: "palette", at: canvas.graphPoint(inside ? { x, y } : undefined), screen, pull: null });
}

export function connectChosen(): void {
  const [node] = chosenNodes();
  if (node !== undefined) openDialog({ kind: "connect", node });
}

/** Lead the selected links over a point, or ask which link of the selected node. */
export function lead(): void {
  const links = current().selection.filter((id) => id.includes(">") && !pointId(id));
  for (const id of links) leadOver(id);
  const [node] = chosenNodes();
  if (links.length === 0 && node !== undefined) openDialog({ kind: "lead", node });
}

export function addNote(): void {
  const at = canvas.graphPoint(canvas.pointer.inside ? canvas.pointer : undefined);
  let id = "";
  edit(t.edits.note, (graph) => {
    const added = edits.addNote(graph, at, "");
    id = added.id;
    return added.graph;
  });
  focusNode(noteNode(id), "textarea");
}

export function makeSubgraph(): void {
  let id: string | undefined;
  editDocument(t.edits.subgraph, (document, tab) => {
    const made = gather(document, tab.path, chosenNodes(tab), "subgraph");
    id = made?.id;
    return made?.document ?? document;
  });
  if (id !== undefined) select([id]);
}

export function unfoldChosen(): void {
  let ids: readonly string[] = [];
  editDocument(t.edits.unfold, (document, tab) => {
    const [id] = chosenNodes(tab);
    const opened = id === undefined ? null : unfold(document, tab.path, id);
    ids = opened?.ids ?? [];
    return opened?.document ?? document;
  });
  if (ids.length > 0) select(ids);
}
