/** Commands that go somewhere in the graph: selecting, walking, entering, the next problem. */

import { focusNode } from "../canvas/focus";
import { isLive } from "../canvas/live";
import * as canvas from "../canvas/state";
import * as edits from "../core/edits";
import { typeOfStep } from "../state/catalogue";
import { useCheck } from "../state/check";
import { boxes } from "../state/geometry";
import { chosenNodes, current, currentDocument, currentGraph, enter, leave, select } from "../state/session";
import { announce, inform, useView } from "../state/view";
import { said, t } from "../text";

export function selectAll(): void {
  select(Object.keys(currentGraph().nodes));
}

export function reach(...ways: readonly ("up" | "down")[]): void {
  const from = chosenNodes();
  select([...new Set(ways.flatMap((way) => [...edits.reachable(currentGraph(), from, way)]))]);
}

export function rename(): void {
  if (chosenNodes().length > 0) useView.setState({ panel: "node", naming: true });
  else inform(t.canvas.tooFew(1));
}

let problem = -1;

export function nextProblem(): void {
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
  announce(said(found.message, found.code).text);
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

export function enterChosen(): void {
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

export function stepBack(): void {
  const { selection, path } = current();
  const focused = document.activeElement?.closest<HTMLElement>(".react-flow__node");
  if (focused && focused !== document.activeElement) focused.focus();
  else if (selection.length > 0) select([]);
  else if (path.length > 0) leave();
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
