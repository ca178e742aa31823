/** The workflow document, as `nodegraph schema` describes it. Values are never changed in place: edits make new ones. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Link = { readonly $from: string };
export type Value = Json | Link | readonly Link[];
export type Point = readonly [number, number];

export interface Step {
  readonly type: string;
  readonly inputs?: Readonly<Record<string, Value>>;
  readonly mode?: Mode;
}
/** A node that does not run: what comes in passes through it, or what needs it does not run either. */
export type Mode = "bypass" | "mute";

export interface Exposed {
  readonly to: readonly string[];
  readonly title?: string;
  readonly description?: string;
}

export interface Note {
  readonly id: string;
  readonly text: string;
  readonly at: Point;
  readonly size: Point;
  readonly colour?: string;
}

export interface Group {
  readonly id: string;
  readonly title: string;
  readonly at: Point;
  readonly size: Point;
  readonly colour?: string;
}

/** How one node looks, and how its seed goes on after a run. */
export interface Look {
  readonly title?: string;
  readonly colour?: string;
  readonly collapsed?: boolean;
  readonly unfolded?: boolean;
  readonly preview?: boolean;
  readonly seed?: SeedMode;
}
export type SeedMode = "fixed" | "random" | "next";

export interface Layout {
  readonly nodes?: Readonly<Record<string, Point>>;
  readonly looks?: Readonly<Record<string, Look>>;
  readonly notes?: readonly Note[];
  readonly groups?: readonly Group[];
  /** Points that a link is led over, by its name `node.port>node.port`. */
  readonly reroutes?: Readonly<Record<string, readonly Point[]>>;
}

export interface Graph {
  readonly nodes: Readonly<Record<string, Step>>;
  readonly inputs?: Readonly<Record<string, Exposed>>;
  readonly outputs?: Readonly<Record<string, Link>>;
  readonly layout?: Layout;
}

export interface Workflow extends Graph {
  readonly format: "nodegraph/1";
  readonly name?: string;
  readonly description?: string;
  readonly definitions?: Readonly<Record<string, Graph>>;
}

/** An end of a link: a node and one of its ports. */
export interface End {
  readonly node: string;
  readonly port: string;
}

export interface Wire {
  readonly source: End;
  readonly target: End;
}

export const EMPTY: Workflow = { format: "nodegraph/1", name: "", nodes: {} };

export function end(text: string): End {
  const dot = text.lastIndexOf(".");
  return { node: text.slice(0, dot), port: text.slice(dot + 1) };
}

export function link(from: End): Link {
  return { $from: `${from.node}.${from.port}` };
}

export function isLink(value: Value | undefined): value is Link {
  return typeof value === "object" && value !== null && !Array.isArray(value) && "$from" in value;
}

/** The links that an input's value holds: none for a literal. */
export function linksOf(value: Value | undefined): readonly Link[] {
  if (isLink(value)) return [value];
  return Array.isArray(value) && value.length > 0 && value.every((v) => isLink(v as Value)) ? (value as Link[]) : [];
}

/** Every link of a graph, in the order of its nodes and inputs. */
/** The name under which the server keeps a workflow that people call `name`. */
export function keptName(name: string): string {
  const plain = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "");
  if (plain !== "") return plain.slice(0, 100);
  let sum = 0; // no letter of it can stay, so it goes by a number of its own
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 36 ** 6;
  return `workflow_${sum.toString(36)}`;
}

const fed = new WeakMap<Step, ReadonlySet<string>>();

/** The ids of the nodes that feed a node. */
export function feeders(step: Step): ReadonlySet<string> {
  let found = fed.get(step);
  if (!found) {
    found = new Set(Object.values(step.inputs ?? {}).flatMap((value) => linksOf(value).map((l) => end(l.$from).node)));
    fed.set(step, found);
  }
  return found;
}

export function wires(graph: Graph): Wire[] {
  const found: Wire[] = [];
  for (const [node, step] of Object.entries(graph.nodes)) {
    for (const [port, value] of Object.entries(step.inputs ?? {})) {
      for (const from of linksOf(value)) found.push({ source: end(from.$from), target: { node, port } });
    }
  }
  return found;
}

/** The links of an output. */
export function wiresFrom(graph: Graph, source: End): Wire[] {
  const { $from } = link(source);
  return wires(graph).filter((wire) => link(wire.source).$from === $from);
}

export function wireId(wire: Wire): string {
  return `${wire.source.node}.${wire.source.port}>${wire.target.node}.${wire.target.port}`;
}

export function wireOf(id: string): Wire {
  const [source = "", target = ""] = id.split(">");
  return { source: end(source), target: end(target) };
}

/** The graph shown after entering the definitions of these instances, one inside the other. */
export function graphAt(document: Workflow, path: readonly string[]): Graph {
  return path.length === 0 ? document : (document.definitions?.[definitionAt(document, path) ?? ""] ?? document);
}

/** The name of the definition that `path` leads into; undefined for the document itself or where the path is broken. */
export function definitionAt(document: Workflow, path: readonly string[]): string | undefined {
  let graph: Graph | undefined = document;
  let name: string | undefined;
  for (const id of path) {
    const type: string | undefined = graph?.nodes[id]?.type;
    if (!type?.startsWith("#")) return undefined;
    name = type.slice(1);
    graph = document.definitions?.[name];
  }
  return graph ? name : undefined;
}

/** `document` with the graph at `path` replaced. */
export function withGraph(document: Workflow, path: readonly string[], graph: Graph): Workflow {
  if (path.length === 0) return graph as Workflow;
  const name = definitionAt(document, path);
  return name === undefined ? document : { ...document, definitions: { ...document.definitions, [name]: graph } };
}

/** An id that is free in `taken`: the words of `wanted` in snake case, with a number where needed. */
export function freeName(wanted: string, taken: Iterable<string>): string {
  const used = new Set(taken);
  const words = wanted
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "")
    .slice(0, 90);
  const base = words || "node";
  if (!used.has(base)) return base;
  const stem = base.replace(/_\d+$/, "");
  for (let n = 2; ; n++) if (!used.has(`${stem}_${n}`)) return `${stem}_${n}`;
}

/** Whether parsed JSON is a document of ours; the server says what is wrong inside it. */
export function isWorkflow(value: unknown): value is Workflow {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as { format?: unknown }).format === "nodegraph/1" &&
    typeof (value as { nodes?: unknown }).nodes === "object"
  );
}

/** The document as the server takes it and as files hold it: without sections that hold nothing. */
export function tidy(document: Workflow): Workflow {
  const graph = <G extends Graph>(g: G): G => {
    const layout = Object.fromEntries(
      Object.entries({ ...g.layout, reroutes: linked(g) }).filter(([, v]) => size(v) > 0),
    );
    const { inputs, outputs, layout: _, ...rest } = g;
    return {
      ...rest,
      ...(size(inputs) > 0 && { inputs }),
      ...(size(outputs) > 0 && { outputs }),
      ...(size(layout) > 0 && { layout }),
    } as G;
  };
  const { definitions, ...rest } = graph(document);
  return size(definitions) > 0
    ? { ...rest, definitions: Object.fromEntries(Object.entries(definitions ?? {}).map(([k, d]) => [k, graph(d)])) }
    : rest;
}

/** The reroutes of the links that there are. */
function linked(graph: Graph): Layout["reroutes"] {
  const all = Object.entries(graph.layout?.reroutes ?? {});
  if (all.length === 0) return undefined;
  const names = new Set(wires(graph).map(wireId));
  return Object.fromEntries(all.filter(([name]) => names.has(name)));
}

function size(value: object | undefined): number {
  return value === undefined ? 0 : Object.keys(value).length;
}
