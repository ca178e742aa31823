/** What can be done with a field beside typing into it: the menu of a right click, or of the menu key. */

import type { InputPort } from "../core/catalogue";
import type { End, Value } from "../core/document";
import { expose, exposedName, hide, setValue } from "../core/edits";
import { current, currentGraph, edit } from "../state/session";
import { openDialog } from "../state/view";
import { t } from "../text";
import { choose } from "../ui/chooser";

export function openFieldMenu(from: HTMLElement, target: End, input: InputPort, value: Value | undefined): void {
  const exposed = exposedName(currentGraph(), target) !== undefined;
  const acts: Record<string, () => void> = {
    // inside a subgraph a value belongs to every instance, so it is swept from outside, where it is exposed
    ...(current().path.length === 0 && {
      [t.sweep.this]: () => openDialog({ kind: "sweep", target: `${target.node}.${target.port}` }),
    }),
    [exposed ? t.panel.unexpose : t.panel.expose]: () =>
      exposed
        ? edit(t.edits.hide, (g) => hide(g, target))
        : edit(t.edits.expose, (g) => expose(g, target, input.title.slice(0, 1).toUpperCase() + input.title.slice(1))),
    ...(input.default !== undefined &&
      value !== input.default && {
        [t.field.reset]: () => edit(t.edits.value, (g) => setValue(g, target, input.default)),
      }),
  };
  const choices = Object.keys(acts).map((title) => ({ value: title, title }));
  choose(from, { label: input.title, choices, value: undefined, onPick: (picked) => acts[picked]?.() });
}

/** Whether a right click there is for the browser's own menu: on selected text, and in a text of several lines. */
export function isText(at: EventTarget): boolean {
  if (at instanceof HTMLTextAreaElement) return true;
  return at instanceof HTMLInputElement && at.type === "text" && at.selectionStart !== at.selectionEnd;
}
