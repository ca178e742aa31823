/** Whether a link may be. The types' own rule is the server's: its table is looked up, never re-made here. */

import { type Catalogue, type NodeType, typeOf } from "./catalogue";
import { type End, feeders, type Graph, linksOf, type Wire, type Workflow } from "./document";

export interface Fit {
  readonly how: string;
  readonly mapped: boolean;
  readonly lifted: boolean;
}

export type Fits = Readonly<Record<string, Readonly<Record<string, Fit>>>>;

export type Verdict = { readonly ok: true; readonly fit: Fit } | { readonly ok: false; readonly reason: Refusal };

export type Refusal =
  | {
      readonly code: "type";
      readonly target: End;
      readonly needs: string;
      readonly source: End;
      readonly gives: string;
    }
  | { readonly code: "cycle"; readonly path: readonly string[] }
  | { readonly code: "self" | "direction" | "missing" };

const ANY: Fit = { how: "same", mapped: false, lifted: false };
const VARIABLE = /^(list\[)?[A-Z](\])?$/;

/** How a value of type `source` enters a port of type `target`; null where it does not. */
export function fitOf(fits: Fits, source: string, target: string): Fit | null {
  if (source === target || source === "?" || target === "?") return ANY;
  const found = fits[source]?.[target];
  if (found) return found;
  return VARIABLE.test(source) || VARIABLE.test(target) ? ANY : null;
}

export function canConnect(
  graph: Graph,
  source: End,
  target: End,
  document: Workflow,
  known: Catalogue,
  fits: Fits,
): Verdict {
  const from = graph.nodes[source.node];
  const to = graph.nodes[target.node];
  if (!from || !to) return { ok: false, reason: { code: "missing" } };
  const output = typeOf(from, document, known).outputs.find((o) => o.name === source.port);
  const input = typeOf(to, document, known).inputs.find((i) => i.name === target.port);
  if (!input || (!output && typeOf(from, document, known).known)) return { ok: false, reason: { code: "missing" } };
  if (source.node === target.node) return { ok: false, reason: { code: "self" } };
  const gives = output ? given(graph, source, document, known) : "?";
  const fit = fitOf(fits, gives, input.type);
  if (!fit) return { ok: false, reason: { code: "type", target, needs: input.type, source, gives } };
  const path = pathBetween(graph, target.node, source.node);
  if (path) return { ok: false, reason: { code: "cycle", path: [source.node, ...path] } };
  return { ok: true, fit };
}

/** The type an output gives: a type variable stands for what the node is fed. */
export function given(graph: Graph, source: End, document: Workflow, known: Catalogue, depth = 0): string {
  const step = graph.nodes[source.node];
  if (!step) return "?";
  const type = typeOf(step, document, known);
  const output = type.outputs.find((o) => o.name === source.port);
  if (!output) return "?";
  if (!VARIABLE.test(output.type) || depth > 20) return output.type;
  for (const input of type.inputs) {
    if (input.type !== output.type) continue;
    const [first] = linksOf(step.inputs?.[input.name]);
    if (first) {
      const dot = first.$from.lastIndexOf(".");
      const next = { node: first.$from.slice(0, dot), port: first.$from.slice(dot + 1) };
      return given(graph, next, document, known, depth + 1);
    }
  }
  return output.type;
}

/** The ids on a way along links from one node to another; null where there is none. */
function pathBetween(graph: Graph, from: string, to: string): string[] | null {
  // against the links: a node knows what feeds it, and only what is on the way is looked at
  const goes = new Map<string, string | null>([[to, null]]);
  for (const id of goes.keys()) {
    if (id === from) {
      const path: string[] = [];
      for (let at: string | null = id; at !== null; at = goes.get(at) ?? null) path.push(at);
      return path;
    }
    const step = graph.nodes[id];
    for (const source of step ? feeders(step) : []) if (!goes.has(source)) goes.set(source, id);
  }
  return null;
}

/** The link that what is pulled from `from` would best make with a node: to a port of that name or exactly that type, and
 * to one that is open before one that is taken. Undefined where no port fits. */
export function bestJoin(
  graph: Graph,
  from: End,
  side: "source" | "target",
  node: string,
  document: Workflow,
  known: Catalogue,
  fits: Fits,
): Wire | undefined {
  const step = graph.nodes[node];
  const other = graph.nodes[from.node];
  if (!step || !other || node === from.node) return undefined;
  const type = typeOf(step, document, known);
  if (side === "target") {
    const needs = typeOf(other, document, known).inputs.find((i) => i.name === from.port)?.type ?? "?";
    const port = bestOutput(type, needs, fits, from.port);
    return port === undefined ? undefined : { source: { node, port }, target: from };
  }
  const taken = type.inputs.filter((i) => !i.list && linksOf(step.inputs?.[i.name]).length > 0).map((i) => i.name);
  const port = bestInput(type, given(graph, from, document, known), fits, new Set(taken), from.port);
  return port === undefined ? undefined : { source: from, target: { node, port } };
}

/** The port of `type` that a link of this kind from outside fits best: a required one first, then an exact type, then any.
 * One that is called `name` goes before others of its type. */
export function bestInput(
  type: NodeType,
  gives: string,
  fits: Fits,
  taken: ReadonlySet<string> = new Set(),
  name?: string,
) {
  let best: { port: string; score: number } | undefined;
  for (const input of type.inputs) {
    const fit = fitOf(fits, gives, input.type);
    if (!fit) continue;
    const exact = input.type === gives ? 6 : fit.how === "same" && !VARIABLE.test(input.type) ? 4 : 0;
    const open = taken.has(input.name) ? -6 : 0;
    const named = input.name === name ? 3 : 0;
    const score = exact + (input.required ? 4 : 0) + (input.widget ? 0 : 1) + open + named;
    if (!best || score > best.score) best = { port: input.name, score };
  }
  return best?.port;
}

export function bestOutput(type: NodeType, needs: string, fits: Fits, name?: string) {
  let best: { port: string; score: number } | undefined;
  for (const output of type.outputs) {
    const fit = fitOf(fits, output.type, needs);
    if (!fit) continue;
    const score = (output.type === needs ? 3 : 0) + (fit.how === "same" ? 2 : 0) + (output.name === name ? 1 : 0);
    if (!best || score > best.score) best = { port: output.name, score };
  }
  return best?.port;
}
