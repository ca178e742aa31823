/** Copy, paste and duplicate. */

import { groupNode, noteNode } from "../canvas/flow";
import { copied, placesOf } from "../canvas/moving";
import * as canvas from "../canvas/state";
import { copy } from "../core/clipboard";
import type { Point } from "../core/document";
import { put } from "../state/pasting";
import { current, currentDocument, currentGraph } from "../state/session";
import { t } from "../text";

/** What was copied last here, for pages that may not read the clipboard of the system. */
let clipboard = "";

export async function copyChosen(): Promise<void> {
  const chosen = copied(current().selection);
  if (Object.values(chosen).every((ids) => ids.length === 0)) return;
  const text = copy(currentDocument(), currentGraph(), chosen);
  clipboard = text;
  await navigator.clipboard?.writeText(text).catch(() => undefined); // else the page's own copy is used
}

export async function pasteText(keepLinks: boolean): Promise<void> {
  const text = await navigator.clipboard?.readText().catch(() => clipboard);
  put(
    text || clipboard,
    keepLinks,
    canvas.graphPoint(canvas.pointer.inside ? canvas.pointer : undefined),
    t.edits.paste,
  );
}

export function duplicate(): void {
  const chosen = copied(current().selection);
  const ids = [...chosen.nodes, ...chosen.notes.map(noteNode), ...chosen.groups.map(groupNode)];
  const places = Object.values(placesOf(currentGraph(), ids));
  if (places.length === 0) return;
  const at: Point = [Math.min(...places.map((p) => p[0])) + 36, Math.min(...places.map((p) => p[1])) + 36];
  put(copy(currentDocument(), currentGraph(), chosen), true, at, t.edits.duplicate);
}
