/** Copy, paste and duplicate. */

import { groupNode, noteNode, pointId } from "../canvas/flow";
import { copied, placesOf } from "../canvas/moving";
import * as canvas from "../canvas/state";
import { copy } from "../core/clipboard";
import type { Point } from "../core/document";
import { openFile } from "../state/files";
import { put } from "../state/pasting";
import { current, currentDocument, currentGraph } from "../state/session";
import { t } from "../text";
import { remove } from "./changing";

/** What was copied last here, for pages that may not read the clipboard of the system. */
let clipboard = "";

export async function copyChosen(): Promise<void> {
  const chosen = copied(current().selection);
  if (Object.values(chosen).every((ids) => ids.length === 0)) return;
  const text = copy(currentDocument(), currentGraph(), chosen);
  clipboard = text;
  await navigator.clipboard?.writeText(text).catch(() => undefined); // else the page's own copy is used
}

export async function cutChosen(): Promise<void> {
  await copyChosen();
  remove();
}

/** What the clipboard of the system holds: a picture, or a text. */
async function held(): Promise<string | File> {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((t) => t.startsWith("image/"));
      if (type) return new File([await item.getType(type)], "", { type });
    }
    return (await navigator.clipboard.readText()) || clipboard;
  } catch {
    return clipboard;
  }
}

/** A workflow as text, ours or that of others, and not only copied nodes. */
const WORKFLOW = /^\s*\{|\bSteps: \d/;

export async function paste(keepLinks: boolean): Promise<void> {
  const at = canvas.graphPoint(canvas.pointer.inside ? canvas.pointer : undefined);
  const found = await held();
  if (found instanceof File) await openFile(found, at);
  else if (!put(found, keepLinks, at, t.edits.paste) && WORKFLOW.test(found)) await openFile(new File([found], ""), at);
}

export function duplicate(): void {
  const chosen = copied(current().selection);
  const ids = [...chosen.nodes, ...chosen.notes.map(noteNode), ...chosen.groups.map(groupNode)];
  putCopies(chosen, Object.values(placesOf(currentGraph(), ids)), 36);
}

/** Put copies of what was dragged where it was dropped; it itself stays. */
export function dropCopies(moved: Readonly<Record<string, Point>>): void {
  const places = Object.entries(moved).flatMap(([id, at]) => (pointId(id) ? [] : [at]));
  putCopies(copied(Object.keys(moved)), places, 0);
}

/** Put copies with their corner beside that of `places`. */
function putCopies(chosen: ReturnType<typeof copied>, places: readonly Point[], beside: number): void {
  if (places.length === 0) return;
  const corner = (axis: 0 | 1) => Math.round(Math.min(...places.map((p) => p[axis]))) + beside;
  put(copy(currentDocument(), currentGraph(), chosen), true, [corner(0), corner(1)], t.edits.duplicate);
}
