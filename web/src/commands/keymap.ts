/** Keys to commands. */

import { byKey, type Custom } from "../core/keys";
import { useView } from "../state/view";
import { t } from "../text";
import { walk } from "./going";
import { useKeys } from "./keys";
import { COMMANDS, type Command } from "./registry";

const MAC = /Mac|iP(hone|ad)/.test(globalThis.navigator?.platform ?? "");

/** How a key is written for people. */
export function shown(key: string): string {
  const names: Record<string, string> = {
    ...t.keys,
    ...(MAC && { Mod: "⌘" }),
    ArrowLeft: "←",
    ArrowRight: "→",
    ArrowUp: "↑",
    ArrowDown: "↓",
  };
  return key
    .split(/\+(?=.)/)
    .map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(MAC ? " " : "+");
}

/** What was pressed, as the registry writes it. */
export function pressed(event: KeyboardEvent): string {
  const digit = /^Digit(\d)$/.exec(event.code)?.[1];
  // a Mac writes other signs with Alt
  const under = MAC && event.altKey ? /^Key([A-Z])$/.exec(event.code)?.[1] : undefined;
  const key = under ?? (event.key === " " ? "Space" : digit && event.shiftKey ? digit : event.key);
  const letter = key.length === 1 && /[a-z]/i.test(key);
  const sign = key.length === 1 && !letter && !digit;
  const shift = event.shiftKey && !sign;
  const mod = event.ctrlKey || event.metaKey;
  const name = letter ? (shift && !mod ? key.toUpperCase() : key.toLowerCase()) : key;
  return `${mod ? "Mod+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${name}`;
}

let known: { custom: Custom; map: ReadonlyMap<string, Command> } | undefined;

function commandOf(key: string): Command | undefined {
  const { custom } = useKeys.getState();
  if (known?.custom !== custom) known = { custom, map: byKey(COMMANDS, custom) };
  return known.map.get(key);
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The command that is still being fetched. */
let fetched: Promise<unknown> | undefined;

/** Run a command, after one that was pressed before it and is still being fetched. */
function run(command: Command): void {
  const begun = fetched ? fetched.then(command.run) : command.run();
  if (!begun) return;
  const now = begun.finally(() => {
    if (fetched === now) fetched = undefined;
  });
  fetched = now;
}

export function listenToKeys(): () => void {
  const down = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (useView.getState().dialog !== null) return;
    const typing = target.closest("input:not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]");
    const onCanvas = target === document.body || target.closest(".canvas") !== null;
    const control = target.closest("button, a, input, summary, [role=tab]");
    const key = pressed(event);
    const arrow = ARROWS[key];
    if (arrow && onCanvas && !typing && !control && useView.getState().view === "graph") {
      event.preventDefault();
      walk(...arrow);
      return;
    }
    const command = commandOf(key);
    if (!command) return;
    // a number in which nothing has been typed yet has nothing of its own to undo
    const untyped = (command.id === "undo" || command.id === "redo") && typing?.matches("[data-untyped]");
    if (typing && !untyped && !command.always && key !== "Escape") return;
    if (command.graph && useView.getState().view !== "graph") return;
    // text that is selected on the page is what is meant by copying
    if ((key === "Mod+c" || key === "Mod+x") && !getSelection()?.isCollapsed) return;
    // Tab, Space and Enter on a control are the control's own
    if (control && (key === "Tab" || key === "Space" || key === "Enter")) return;
    if (key === "Tab" && target !== document.body && !target.closest(".react-flow__pane")) return;
    event.preventDefault();
    run(command);
  };
  addEventListener("keydown", down);
  return () => removeEventListener("keydown", down);
}
