/** The open documents: each a tab with a history of its own. Every edit of the editor goes through here. */

import { create } from "zustand";
import type { Problem } from "../api/client";
import { EMPTY, type Graph, graphAt, type Workflow, withGraph } from "../core/document";
import { amend, did, type History, history, redo, undo } from "../core/history";

export interface Tab {
  readonly id: string;
  readonly history: History;
  /** The instances entered, one inside the other. */
  readonly path: readonly string[];
  /** Ids as the canvas has them: of nodes, notes, groups and links. */
  readonly selection: readonly string[];
  /** The name under which the server keeps it. */
  readonly stored: string | null;
  /** The document as it was last saved or opened. */
  readonly saved: Workflow;
  /** The run whose states and pictures are shown. */
  readonly job: string | null;
  /** What the file that it was opened from had, and the document has not. */
  readonly notes: readonly Problem[];
}

interface Session {
  readonly tabs: readonly Tab[];
  readonly active: string;
}

export function newTab(document: Workflow, stored: string | null = null, notes: readonly Problem[] = []): Tab {
  return {
    id: crypto.randomUUID?.() ?? Math.random().toString(36).slice(2),
    history: history(document),
    path: [],
    selection: [],
    stored,
    saved: document,
    job: null,
    notes,
  };
}

const first = newTab(EMPTY);
export const useSession = create<Session>(() => ({ tabs: [first], active: first.id }));

export function activeOf(session: Session): Tab {
  return session.tabs.find((t) => t.id === session.active) ?? session.tabs[0] ?? first;
}

export function useTab<T>(select: (tab: Tab) => T): T {
  return useSession((s) => select(activeOf(s)));
}

export const current = (): Tab => activeOf(useSession.getState());
export const currentDocument = (): Workflow => current().history.present;
export const currentGraph = (): Graph => graphAt(currentDocument(), current().path);
export const graphOf = (tab: Tab): Graph => graphAt(tab.history.present, tab.path);

export function change(id: string, change: (tab: Tab) => Tab): void {
  useSession.setState((s) => ({ tabs: s.tabs.map((t) => (t.id === id ? change(t) : t)) }));
}

const changeActive = (how: (tab: Tab) => Tab) => change(current().id, how);

export function editDocument(what: string, how: (document: Workflow, tab: Tab) => Workflow, merge?: string): void {
  changeActive((tab) => {
    const next = did(tab.history, how(tab.history.present, tab), what, Date.now(), merge);
    return next === tab.history ? tab : { ...tab, history: next };
  });
}

/** Edit the graph that is shown. */
export function edit(what: string, how: (graph: Graph, document: Workflow) => Graph, merge?: string): void {
  editDocument(
    what,
    (document, tab) => {
      const graph = graphAt(document, tab.path);
      const next = how(graph, document);
      return next === graph ? document : withGraph(document, tab.path, next);
    },
    merge,
  );
}

/** Edit the document's own graph, whichever is shown. */
export function editRoot(what: string, how: (graph: Graph) => Graph, merge?: string): void {
  editDocument(what, (document) => withGraph(document, [], how(document)), merge);
}

/** A change that is not the user's own, such as the seed of the next run. */
export function adjust(id: string, how: (document: Workflow) => Workflow): void {
  change(id, (tab) => ({ ...tab, history: amend(tab.history, how(tab.history.present)) }));
}

/** Undo or redo one step. Returns what it was, in words. */
export function step(way: "undo" | "redo"): string | undefined {
  const { history: now } = current();
  const moment = (way === "undo" ? now.past : now.future).at(-1);
  changeActive((tab) => {
    const next = way === "undo" ? undo(tab.history) : redo(tab.history);
    return { ...tab, history: next, path: valid(next.present, tab.path), selection: [] };
  });
  return moment?.did;
}

/** As much of a path as the document still has. */
function valid(document: Workflow, path: readonly string[]): readonly string[] {
  let graph: Graph = document;
  for (const [i, id] of path.entries()) {
    const type = graph.nodes[id]?.type;
    const next = type?.startsWith("#") ? document.definitions?.[type.slice(1)] : undefined;
    if (!next) return path.slice(0, i);
    graph = next;
  }
  return path;
}

export function select(ids: readonly string[]): void {
  changeActive((tab) => (same(tab.selection, ids) ? tab : { ...tab, selection: ids }));
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

export function enter(id: string): void {
  changeActive((tab) => ({ ...tab, path: [...tab.path, id], selection: [] }));
}

export function leave(depth = current().path.length - 1): void {
  changeActive((tab) => {
    const left = tab.path[depth];
    return left === undefined ? tab : { ...tab, path: tab.path.slice(0, depth), selection: [left] };
  });
}

export function openTab(tab: Tab): void {
  useSession.setState((s) => {
    const untouched = s.tabs.length === 1 && activeOf(s).history.present === EMPTY;
    return { tabs: untouched ? [tab] : [...s.tabs, tab], active: tab.id };
  });
}

export function showTab(id: string): void {
  useSession.setState({ active: id });
}

export function closeTab(id: string): void {
  useSession.setState((s) => {
    const at = s.tabs.findIndex((t) => t.id === id);
    const tabs = s.tabs.filter((t) => t.id !== id);
    const rest = tabs.length > 0 ? tabs : [newTab(EMPTY)];
    const next = rest[Math.min(at, rest.length - 1)];
    return { tabs: rest, active: s.active === id && next ? next.id : s.active };
  });
}

export function isChanged(tab: Tab): boolean {
  return tab.history.present !== tab.saved;
}

/** The nodes among what is selected. */
export function chosenNodes(tab: Tab = current()): string[] {
  const { nodes } = graphOf(tab);
  return tab.selection.filter((id) => id in nodes);
}
