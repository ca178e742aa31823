/** What the window shows beside the documents: view, panels, dialogs, messages. */

import { create } from "zustand";
import type { End, Point } from "../core/document";
import type { Device } from "../core/wheel";

export type View = "graph" | "app" | "gallery";
export type Panel = "results" | "node" | "queue" | "problems";
/** What the wheel does over the graph, or two fingers on a pad; with Ctrl, or by pinching, it always zooms. By itself a
 * wheel zooms and a pad moves. */
export type Wheel = "auto" | "zoom" | "move";
export type Theme = "system" | "dark" | "light";

/** A link that waits for its other end. */
export interface Pull {
  readonly from: End;
  readonly side: "source" | "target";
  readonly type: string;
}

/** Puts a value into the field that asked for it: the name of an upload, lines of boxes. */
export type Put = (value: string) => void;

export type Dialog =
  | { readonly kind: "palette"; readonly at: Point; readonly screen: Point | null; readonly pull: Pull | null }
  | { readonly kind: "connect"; readonly node: string }
  | { readonly kind: "commands" | "find" | "help" | "templates" | "save" | "versions" | "export" | "tour" }
  /** `target` is the `node.port` to begin with. */
  | { readonly kind: "sweep"; readonly target: string | null }
  | { readonly kind: "grid"; readonly id: string }
  | { readonly kind: "mask"; readonly put: Put; readonly picture: string | null; readonly mask: string | null }
  | { readonly kind: "boxes"; readonly node: string; readonly value: string; readonly put: Put }
  | { readonly kind: "sketch"; readonly put: Put; readonly picture: string | null }
  | { readonly kind: "camera"; readonly put: Put }
  /** The links of a node, to lead one of them over a point. */
  | { readonly kind: "lead"; readonly node: string }
  | { readonly kind: "picture"; readonly url: string; readonly alt: string }
  /** An output of a node, by the name that a run gives it. */
  | { readonly kind: "look"; readonly node: string; readonly port: string; readonly alt: string };

export interface Message {
  readonly id: number;
  readonly text: string;
  readonly tone: "error" | "info";
  /** What can be done about it, such as to take it back. */
  readonly act?: Act | undefined;
}

interface Act {
  readonly title: string;
  readonly run: () => void;
}

interface Shown {
  readonly view: View;
  readonly panel: Panel | null;
  /** Whether the title of the selected node is to be typed next. */
  readonly naming: boolean;
  readonly dialog: Dialog | null;
  readonly theme: Theme;
  readonly minimap: boolean;
  readonly wheel: Wheel;
  /** What it is, once that showed in how it turned. */
  readonly device: Device | null;
  readonly onChange: boolean;
  readonly messages: readonly Message[];
  readonly said: string;
}

/** The width up to which panels lie over the graph, as app.css says. */
const NARROW = 900;

function remembered<T extends string>(key: string, otherwise: T, allowed: readonly T[]): T {
  const value = globalThis.localStorage?.getItem(`nodegraph.${key}`) as T | null | undefined;
  return value && allowed.includes(value) ? value : otherwise;
}

export const useView = create<Shown>(() => ({
  view: "graph",
  panel: globalThis.innerWidth <= NARROW ? null : "results", // there it would lie over the graph
  naming: false,
  dialog: null,
  theme: remembered("theme", "system", ["system", "dark", "light"]),
  wheel: remembered("wheel", "auto", ["auto", "zoom", "move"]),
  device: null,
  minimap: remembered("minimap", "on", ["on", "off"]) === "on",
  onChange: false,
  messages: [],
  said: "",
}));

export const show = (view: View) => useView.setState({ view });
export const openDialog = (dialog: Dialog) => useView.setState({ dialog });
export const closeDialog = () => useView.setState({ dialog: null });

export function togglePanel(panel: Panel): void {
  useView.setState((s) => ({ panel: s.panel === panel ? null : panel }));
}

export function setTheme(theme: Theme): void {
  localStorage.setItem("nodegraph.theme", theme);
  useView.setState({ theme });
}

export function setWheel(wheel: Wheel): void {
  localStorage.setItem("nodegraph.wheel", wheel);
  useView.setState({ wheel });
}

export function toggleMinimap(): void {
  useView.setState((s) => {
    localStorage.setItem("nodegraph.minimap", s.minimap ? "off" : "on");
    return { minimap: !s.minimap };
  });
}

/** Say something to those who cannot see it happen. */
export function announce(said: string): void {
  useView.setState({ said });
}

let count = 0;

function message(text: string, tone: Message["tone"], stays: number, act?: Act): void {
  const id = ++count;
  useView.setState((s) => ({ messages: [...s.messages.slice(-3), { id, text, tone, act }] }));
  setTimeout(() => dismiss(id), stays);
}

export function dismiss(id: number): void {
  useView.setState((s) => ({ messages: s.messages.filter((m) => m.id !== id) }));
}

export const inform = (text: string, act?: Act) => message(text, "info", act ? 12000 : 5000, act);

export function complain(error: unknown, act?: Act): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  message(error instanceof Error ? error.message : String(error), "error", 12000, act);
}
