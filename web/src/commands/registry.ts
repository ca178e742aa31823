/** Every command of the editor: one list feeds the keys, the command palette, the menus and the sheet of shortcuts. */

import { showAll, showNodes, useCanvas } from "../canvas/state";
import { newWorkflow, pickFile, save } from "../state/files";
import { chosenNodes } from "../state/session";
import { openDialog, show, toggleMinimap, togglePanel } from "../state/view";
import { t } from "../text";
import { whenAsked } from "../ui/later";
import { align, arrange, collapse, distribute, frame, nudge } from "./arranging";
import {
  addNote,
  back,
  connectChosen,
  dissolve,
  lead,
  makeSubgraph,
  openPalette,
  remove,
  setMode,
  unfoldChosen,
} from "./changing";
import { enterChosen, nextProblem, reach, rename, selectAll, stepBack } from "./going";
import { start, stop, toggleOnChange } from "./running";

export interface Command {
  readonly id: string;
  readonly title: string;
  readonly group: keyof typeof t.groups;
  /** Those it comes with. The first is shown; `Mod` is Ctrl, or Command on a Mac. */
  readonly keys: readonly string[];
  /** Where it must be fetched first, it promises to have begun. */
  readonly run: () => void | Promise<void>;
  /** Also while typing in a field. */
  readonly always?: boolean;
  /** Only where the graph is shown. */
  readonly graph?: boolean;
}

const GRID = 12;
const copying = whenAsked(() => import("./copying"));
const masking = whenAsked(() => import("../paint/masking"));

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
  graphCommand("edit", "copy", ["Mod+c"], () => copying().then((m) => void m.copyChosen())),
  graphCommand("edit", "cut", ["Mod+x"], () => copying().then((m) => void m.cutChosen())),
  graphCommand("edit", "paste", ["Mod+v"], () => copying().then((m) => void m.paste(false))),
  graphCommand("edit", "pasteLinked", ["Mod+Shift+v"], () => copying().then((m) => void m.paste(true))),
  graphCommand("edit", "duplicate", ["Mod+d"], () => copying().then((m) => void m.duplicate())),
  graphCommand("edit", "remove", ["Delete", "Backspace"], remove),
  graphCommand("edit", "dissolve", ["Mod+Delete", "Mod+Backspace"], dissolve),
  graphCommand("edit", "bypass", ["Mod+b"], () => setMode("bypass")),
  graphCommand("edit", "mute", ["m", "Mod+m"], () => setMode("mute")),
  graphCommand("edit", "selectAll", ["Mod+a"], selectAll),
  graphCommand("edit", "selectUp", ["Alt+ArrowLeft"], () => reach("up")),
  graphCommand("edit", "selectDown", ["Alt+ArrowRight"], () => reach("down")),
  graphCommand("edit", "selectChain", ["Alt+ArrowUp"], () => reach("up", "down")),

  graphCommand("add", "palette", ["Space", "Tab"], openPalette),
  graphCommand("add", "connect", ["c"], connectChosen),
  graphCommand("add", "lead", ["l"], lead),
  graphCommand("add", "note", ["n"], addNote),
  graphCommand("add", "mask", [], () => masking().then((m) => m.maskChosen())),

  command("look", "commands", ["Mod+k", "Mod+Shift+p"], () => openDialog({ kind: "commands" }), {
    always: true,
  }),
  command("look", "find", ["Mod+f"], () => openDialog({ kind: "find" }), { graph: true, always: true }),
  command("look", "help", ["?"], () => openDialog({ kind: "help" })),
  graphCommand("look", "fit", ["Shift+1", "."], () => showAll()),
  graphCommand("look", "fitSelection", ["Shift+2", "f"], () => showNodes(chosenNodes())),
  graphCommand("look", "actual", ["Shift+0"], () => void useCanvas.getState().flow?.zoomTo(1)),
  graphCommand("look", "zoomIn", ["+", "="], () => void useCanvas.getState().flow?.zoomIn()),
  graphCommand("look", "zoomOut", ["-"], () => void useCanvas.getState().flow?.zoomOut()),
  graphCommand("look", "minimap", ["Alt+m"], toggleMinimap),

  graphCommand("arrange", "arrange", ["Shift+L"], () => void arrange()),
  graphCommand("arrange", "alignLeft", [], () => align(0, 0)),
  graphCommand("arrange", "alignRight", [], () => align(0, 1)),
  graphCommand("arrange", "alignTop", [], () => align(1, 0)),
  graphCommand("arrange", "alignBottom", [], () => align(1, 1)),
  graphCommand("arrange", "distribute", [], () => distribute(0)),
  graphCommand("arrange", "distributeDown", [], () => distribute(1)),
  graphCommand("arrange", "collapse", ["Alt+c"], collapse),
  graphCommand("arrange", "rename", ["F2"], rename),
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
  run: Command["run"],
  more: Partial<Command> = {},
): Command {
  return { id, title: t.actions[id], group, keys, run, ...more };
}

function graphCommand(
  group: Command["group"],
  id: keyof typeof t.actions,
  keys: readonly string[],
  run: Command["run"],
): Command {
  return command(group, id, keys, run, { graph: true });
}
