/** Every command of the editor: one list feeds the keys, the command palette, the menus and the sheet of shortcuts. */

import { groupId, groupNode, noteId, noteNode, pointId } from "../canvas/flow";
import { focusNode } from "../canvas/focus";
import { leadOver } from "../canvas/leading";
import { cutFrom } from "../canvas/linking";
import { isLive } from "../canvas/live";
import { copied, dropped, placesOf } from "../canvas/moving";
import * as canvas from "../canvas/state";
import { copy } from "../core/clipboard";
import { type Mode, type Point, tidy, type Workflow } from "../core/document";
import * as edits from "../core/edits";
import { arranged } from "../core/layout";
import { removePoints, renamedReroutes } from "../core/reroutes";
import { ended } from "../core/runs";
import { gather, unfold } from "../core/subgraphs";
import { fits, known, typeOfStep } from "../state/catalogue";
import { useCheck } from "../state/check";
import { newWorkflow, pickFile, save } from "../state/files";
import { around, boxes, grownBoxes } from "../state/geometry";
import { put } from "../state/pasting";
import { cancel, run, useRuns } from "../state/runs";
import {
  chosenNodes,
  current,
  currentDocument,
  currentGraph,
  edit,
  editDocument,
  enter,
  leave,
  select,
  step,
} from "../state/session";
import { announce, complain, inform, openDialog, show, toggleMinimap, togglePanel, useView } from "../state/view";
import { t } from "../text";

export interface Command {
  readonly id: string;
  readonly title: string;
  readonly group: keyof typeof t.groups;
  /** Those it comes with. The first is shown; `Mod` is Ctrl, or Command on a Mac. */
  readonly keys: readonly string[];
  readonly run: () => void;
  /** Also while typing in a field. */
  readonly always?: boolean;
  /** Only where the graph is shown. */
  readonly graph?: boolean;
}

const GRID = 12;

export const COMMANDS: readonly Command[] = [
  command("run", "run", ["Mod+Enter"], () => void start(), { always: true }),
  command("run", "runTo", ["Shift+Enter"], () => void start(chosenNodes())),
  command("run", "runFirst", ["Mod+Shift+Enter"], () => void start(undefined, true), { always: true }),
  command("run", "stop", ["Mod+Alt+Enter"], stop, { always: true }),
  command("run", "onChange", ["Alt+r"], toggleOnChange),
  command("run", "sweep", ["Shift+S"], () => openDialog({ kind: "sweep", target: null })),
  command("run", "nextProblem", ["F8"], nextProblem, { always: true }),

  command("edit", "undo", ["Mod+z"], () => back("undo")),
  command("edit", "redo", ["Mod+Shift+z", "Mod+y"], () => back("redo")),
  graphCommand("edit", "copy", ["Mod+c"], () => void copyChosen()),
  graphCommand("edit", "cut", ["Mod+x"], () => void copyChosen().then(remove)),
  graphCommand("edit", "paste", ["Mod+v"], () => void pasteText(false)),
  graphCommand("edit", "pasteLinked", ["Mod+Shift+v"], () => void pasteText(true)),
  graphCommand("edit", "duplicate", ["Mod+d"], duplicate),
  graphCommand("edit", "remove", ["Delete", "Backspace"], remove),
  graphCommand("edit", "dissolve", ["Mod+Delete", "Mod+Backspace"], dissolve),
  graphCommand("edit", "bypass", ["Mod+b"], () => setMode("bypass")),
  graphCommand("edit", "mute", ["m"], () => setMode("mute")),
  graphCommand("edit", "selectAll", ["Mod+a"], selectAll),
  graphCommand("edit", "selectUp", ["Alt+ArrowLeft"], () => reach("up")),
  graphCommand("edit", "selectDown", ["Alt+ArrowRight"], () => reach("down")),

  graphCommand("add", "palette", ["Space", "Tab"], openPalette),
  graphCommand("add", "connect", ["c"], connectChosen),
  graphCommand("add", "lead", ["l"], lead),
  graphCommand("add", "note", ["n"], addNote),

  command("look", "commands", ["Mod+k", "Mod+Shift+p"], () => openDialog({ kind: "commands" }), {
    always: true,
  }),
  command("look", "find", ["Mod+f"], () => openDialog({ kind: "find" }), { graph: true, always: true }),
  command("look", "help", ["?"], () => openDialog({ kind: "help" })),
  graphCommand("look", "fit", ["Shift+1", "."], () => canvas.showAll()),
  graphCommand("look", "fitSelection", ["Shift+2", "f"], () => canvas.showNodes(chosenNodes())),
  graphCommand("look", "actual", ["Shift+0"], () => void canvas.useCanvas.getState().flow?.zoomTo(1)),
  graphCommand("look", "zoomIn", ["+", "="], () => void canvas.useCanvas.getState().flow?.zoomIn()),
  graphCommand("look", "zoomOut", ["-"], () => void canvas.useCanvas.getState().flow?.zoomOut()),
  graphCommand("look", "minimap", ["Alt+m"], toggleMinimap),

  graphCommand("arrange", "arrange", ["Shift+L"], () => void arrange()),
  graphCommand("arrange", "alignLeft", [], () => align(0, 0)),
  graphCommand("arrange", "alignRight", [], () => align(0, 1)),
  graphCommand("arrange", "alignTop", [], () => align(1, 0)),
  graphCommand("arrange", "alignBottom", [], () => align(1, 1)),
  graphCommand("arrange", "distribute", [], () => distribute(0)),
  graphCommand("arrange", "distributeDown", [], () => distribute(1)),
  graphCommand("arrange", "collapse", ["Alt+c"], collapse),
  graphCommand("arrange", "group", ["Mod+g"], frame),
  graphCommand("arrange", "subgraph", ["Mod+Shift+e"], makeSubgraph),
  graphCommand("arrange", "unfold", ["Mod+Shift+u"], unfoldChosen),
  graphCommand("arrange", "enter", ["Enter"], enterChosen),
  graphCommand("arrange", "leave", ["Escape"], stepBack),
  graphCommand("arrange", "moveLeft", ["Shift+ArrowLeft"], () => nudge(-GRID, 0)),
  graphCommand("arrange", "moveRight", ["Shift+ArrowRight"], () => nudge(GRID, 0)),
  graphCommand("arrange", "moveUp", ["Shift+ArrowUp"], () => nudge(0, -GRID)),
  graphCommand("arrange", "moveDown", ["Shift+ArrowDown"], () => nudge(0, GRID)),

  command("file", "new", ["Alt+n"], newWorkflow),
  command("file", "openFile", ["Mod+o"], pickFile, { always: true }),
  command("file", "templates", ["Mod+Shift+o"], () => openDialog({ kind: "templates" }), { always: true }),
  command("file", "save", ["Mod+s"], () => void save(), { always: true }),
  command("file", "saveAs", ["Mod+Shift+s"], () => openDialog({ kind: "save" }), { always: true }),
  command("file", "versions", [], () => openDialog({ kind: "versions" })),
  command("file", "export", ["Mod+e"], () => openDialog({ kind: "export" }), { always: true }),

  command("view", "graph", ["1"], () => show("graph")),
  command("view", "app", ["2"], () => show("app")),
  command("view", "gallery", ["3"], () => show("gallery")),
  command("view", "results", ["r"], () => togglePanel("results")),
  command("view", "queue", ["q"], () => togglePanel("queue")),
  command("view", "problems", ["p"], () => togglePanel("problems")),
  command("view", "node", ["i"], () => togglePanel("node")),
];

function command(
  group: Command["group"],
  id: keyof typeof t.actions,
  keys: readonly string[],
  run: () => void,
  more: Partial<Command> = {},
): Command {
  return { id, title: t.actions[id], group, keys, run, ...more };
}

function graphCommand(
  group: Command["group"],
  id: keyof typeof t.actions,
  keys: readonly string[],
  run: () => void,
): Command {
  return command(group, id, keys, run, { graph: true });
}

export async function start(targets?: readonly string[], first = false): Promise<void> {
  if (targets?.length === 0) return;
  const { path } = current();
  const full = targets?.map((id) => [...path, id].join("/"));
  await run({ first, ...(full && { targets: full }) });
}

function toggleOnChange(): void {
  const onChange = !useView.getState().onChange;
  useView.setState({ onChange });
  inform(onChange ? t.run.onChange : t.run.notOnChange);
}

const PAUSE = 600;

/** While that is asked for, run what has been changed as soon as no key was pressed for a moment and nothing is wrong. */
export function runOnChange(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // a run may give its document the next seed, which is no reason for another
  let ran: Workflow | undefined;
  const stop = useCheck.subscribe((now, before) => {
    if (
      currentDocument() === ran ||
      !useView.getState().onChange ||
      now.plan === before.plan ||
      now.problems.length > 0
    )
      return;
    clearTimeout(timer);
    if (!Object.values(now.plan).some((p) => p.state === "run")) return;
    timer = setTimeout(() => {
      const { job } = current();
      const old = job === null ? undefined : useRuns.getState().jobs[job];
      if (old && !ended(old)) void cancel(old.id);
      void start().then(() => {
        ran = currentDocument();
      });
    }, PAUSE);
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

function stop(): void {
  const { job } = current();
  const shown = job === null ? undefined : useRuns.getState().jobs[job];
  const running =
    shown && !ended(shown) ? shown : Object.values(useRuns.getState().jobs).find((j) => j.state === "running");
  if (running) void cancel(running.id);
}

let problem = -1;

function nextProblem(): void {
  const { problems } = useCheck.getState();
  if (problems.length === 0) {
    announce(t.panel.noProblems);
    return;
  }
  problem = (problem + 1) % problems.length;
  const found = problems[problem];
  if (!found) return;
  useView.setState({ view: "graph", panel: "problems" });
  goTo(found.node);
  announce(found.message);
}

/** Show a node by the name a run gives it, inside its subgraph where it is in one. */
export function goTo(name: string): void {
  const parts = name.split("/");
  const id = parts.pop();
  const { path } = current();
  if (id === undefined || id === "") return;
  if (parts.join("/") !== path.join("/")) {
    leave(0);
    for (const part of parts) enter(part);
  }
  select([id]);
  requestAnimationFrame(() => {
    canvas.showNodes([id]);
    focusNode(id);
  });
}

function back(way: "undo" | "redo"): void {
  const what = step(way);
  if (what === undefined) announce(way === "undo" ? t.edits.nothing : t.edits.nothingRedo);
  else announce(way === "undo" ? t.edits.undone(what) : t.edits.redone(what));
}

async function copyChosen(): Promise<void> {
  const chosen = copied(current().selection);
  if (Object.values(chosen).every((ids) => ids.length === 0)) return;
  const text = copy(currentDocument(), currentGraph(), chosen);
  clipboard = text;
  await navigator.clipboard?.writeText(text).catch(() => undefined); // else the page's own copy is used
}

/** What was copied last here, for pages that may not read the clipboard of the system. */
let clipboard = "";

async function pasteText(keepLinks: boolean): Promise<void> {
  const text = await navigator.clipboard?.readText().catch(() => clipboard);
  put(
    text || clipboard,
    keepLinks,
    canvas.graphPoint(canvas.pointer.inside ? canvas.pointer : undefined),
    t.edits.paste,
  );
}

function duplicate(): void {
  const chosen = copied(current().selection);
  const ids = [...chosen.nodes, ...chosen.notes.map(noteNode), ...chosen.groups.map(groupNode)];
  const places = Object.values(placesOf(currentGraph(), ids));
  if (places.length === 0) return;
  const at: Point = [Math.min(...places.map((p) => p[0])) + 36, Math.min(...places.map((p) => p[1])) + 36];
  put(copy(currentDocument(), currentGraph(), chosen), true, at, t.edits.duplicate);
}

function remove(): void {
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

function dissolve(): void {
  const ids = chosenNodes();
  edit(t.edits.dissolve, (graph, document) => edits.dissolve(graph, ids, document, known(), fits()));
  select([]);
}

function setMode(mode: Mode): void {
  const ids = chosenNodes();
  if (ids.length === 0) return;
  edit(t.edits[mode], (graph) => edits.toggleMode(graph, ids, mode));
  const now = currentGraph().nodes[ids[0] ?? ""]?.mode;
  announce(now === undefined ? t.modes.run : t.modes[now]);
}

function selectAll(): void {
  select(Object.keys(currentGraph().nodes));
}

function reach(way: "up" | "down"): void {
  select([...edits.reachable(currentGraph(), chosenNodes(), way)]);
}

function openPalette(): void {
  const { inside, x, y } = canvas.pointer;
  const screen: Point | null = inside ? [x, y] : null;
  openDialog({ kind: "palette", at: canvas.graphPoint(inside ? { x, y } : undefined), screen, pull: null });
}

function connectChosen(): void {
  const [node] = chosenNodes();
  if (node !== undefined) openDialog({ kind: "connect", node });
}

/** Lead the selected links over a point, or ask which link of the selected node. */
function lead(): void {
  const links = current().selection.filter((id) => id.includes(">") && !pointId(id));
  for (const id of links) leadOver(id);
  const [node] = chosenNodes();
  if (links.length === 0 && node !== undefined) openDialog({ kind: "lead", node });
}

function addNote(): void {
  const at = canvas.graphPoint(canvas.pointer.inside ? canvas.pointer : undefined);
  let id = "";
  edit(t.edits.note, (graph) => {
    const added = edits.addNote(graph, at, "");
    id = added.id;
    return added.graph;
  });
  focusNode(noteNode(id), "textarea");
}

export async function arrange(): Promise<void> {
  const chosen = chosenNodes();
  const graph = currentGraph();
  const ids = chosen.length > 1 ? chosen : Object.keys(graph.nodes);
  const sizes = grownBoxes(graph, currentDocument());
  try {
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
  const moved = places.map(([id, [x, y], to]): [string, Point] => [id, axis === 0 ? [to, y] : [x, to]]);
  edit(t.edits.align, (graph) => edits.place(graph, Object.fromEntries(moved)));
}

/** Align the selected nodes: `side` 0 is left or top, 1 right or bottom. */
function align(axis: 0 | 1, side: 0 | 1): void {
  const items = chosenBoxes(2);
  const ends = items.map((i) => i.at[axis] + side * i.size[axis]);
  const end = side === 0 ? Math.min(...ends) : Math.max(...ends);
  moveAlong(
    axis,
    items.map((i) => [i.id, i.at, end - side * i.size[axis]]),
  );
}

/** Give the selected nodes equal room between them, from the first to the last. */
function distribute(axis: 0 | 1): void {
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

function collapse(): void {
  const ids = chosenNodes();
  edit(t.edits.collapse, (graph) => {
    const open = ids.some((id) => !graph.layout?.looks?.[id]?.collapsed);
    return edits.withLook(graph, ids, { collapsed: open ? true : undefined });
  });
}

const MARGIN = 24;

function frame(): void {
  const all = boxes(currentGraph(), currentDocument(), isLive);
  const box = around(chosenNodes().flatMap((id) => all.get(id) ?? []));
  if (!box) return;
  const at: Point = [box.x - MARGIN, box.y - MARGIN - 28];
  const size: Point = [box.width + MARGIN * 2, box.height + MARGIN * 2 + 28];
  edit(t.edits.group, (graph) => edits.addGroup(graph, at, size, t.canvas.group).graph);
}

function makeSubgraph(): void {
  let id: string | undefined;
  editDocument(t.edits.subgraph, (document, tab) => {
    const made = gather(document, tab.path, chosenNodes(tab), "subgraph");
    id = made?.id;
    return made?.document ?? document;
  });
  if (id !== undefined) select([id]);
}

function unfoldChosen(): void {
  let ids: readonly string[] = [];
  editDocument(t.edits.unfold, (document, tab) => {
    const [id] = chosenNodes(tab);
    const opened = id === undefined ? null : unfold(document, tab.path, id);
    ids = opened?.ids ?? [];
    return opened?.document ?? document;
  });
  if (ids.length > 0) select(ids);
}

function enterChosen(): void {
  const [id] = chosenNodes();
  if (id === undefined) return;
  if (currentGraph().nodes[id]?.type.startsWith("#")) {
    enter(id);
    return;
  }
  // into the first field of the node
  document
    .querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(id)}"] .row :is(input, textarea, button)`)
    ?.focus();
}

function stepBack(): void {
  const { selection, path } = current();
  const focused = document.activeElement?.closest<HTMLElement>(".react-flow__node");
  if (focused && focused !== document.activeElement) focused.focus();
  else if (selection.length > 0) select([]);
  else if (path.length > 0) leave();
}

function nudge(x: number, y: number): void {
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

/** Select and focus the nearest node in a direction: the arrow keys on the canvas. */
export function walk(x: number, y: number): void {
  const all = boxes(currentGraph(), currentDocument(), isLive);
  const [from] = chosenNodes();
  const own = from === undefined ? undefined : all.get(from);
  if (!own) {
    const [first] = [...all].sort(([, a], [, b]) => a.x - b.x || a.y - b.y);
    if (first) visit(first[0]);
    return;
  }
  let best: { id: string; cost: number } | undefined;
  for (const [id, box] of all) {
    if (id === from) continue;
    const dx = box.x + box.width / 2 - (own.x + own.width / 2);
    const dy = box.y + box.height / 2 - (own.y + own.height / 2);
    const ahead = dx * x + dy * y;
    const aside = Math.abs(dx * y) + Math.abs(dy * x);
    if (ahead <= 8) continue;
    const cost = ahead + aside * 2;
    if (!best || cost < best.cost) best = { id, cost };
  }
  if (best) visit(best.id);
}

function visit(id: string): void {
  select([id]);
  canvas.reveal(id);
  focusNode(id);
  const step = currentGraph().nodes[id];
  if (step) announce(t.node.label(typeOfStep(step, currentDocument()).title, id, ""));
}

/** The document as its file holds it. */
export function documentText(): string {
  return `${JSON.stringify(tidy(currentDocument()), null, 2)}\n`;
}
