/** Node types as the editor needs them, read from the schemas that `/api/nodes` serves and from the definitions of the
 * open document. No node type is known by name. */

import { end, type Graph, type Json, linksOf, type Step, type Workflow } from "./document";

export interface Schema {
  readonly "x-type": string;
  readonly description?: string;
  readonly default?: Json;
  readonly type?: string;
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Partial<Schema>[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly multipleOf?: number;
  readonly items?: Partial<Schema>;
  readonly "x-widget"?: { readonly kind: string; readonly [option: string]: Json };
  readonly "x-choices"?: string;
  readonly "x-lazy"?: boolean;
}

export interface NodeSchema {
  readonly version: number;
  readonly title: string;
  readonly description: string;
  readonly category: string;
  readonly lane: string;
  readonly pure: boolean;
  readonly inputs: { readonly properties: Readonly<Record<string, Schema>>; readonly required: readonly string[] };
  readonly outputs: Readonly<Record<string, { readonly "x-type": string; readonly description?: string }>>;
  /** What other programs call it. */
  readonly aliases?: readonly string[];
}

export interface InputPort {
  readonly name: string;
  readonly type: string;
  readonly title: string;
  readonly doc: string;
  readonly required: boolean;
  readonly list: boolean;
  readonly widget: Widget | null;
  readonly default: Json | undefined;
}

export interface OutputPort {
  readonly name: string;
  readonly type: string;
  readonly title: string;
  readonly doc: string;
}

export type Widget =
  | {
      readonly kind: "number" | "slider";
      readonly whole: boolean;
      readonly min: number;
      readonly max: number;
      readonly step: number;
    }
  | { readonly kind: "seed"; readonly min: number; readonly max: number }
  | { readonly kind: "text" | "boxes" | "toggle" | "colour" | "lines" | "json" }
  /** `wildcards` is the list of files that the text may name, where it may name any. */
  | { readonly kind: "textarea"; readonly wildcards: string | null }
  | { readonly kind: "choice"; readonly values: readonly Json[]; readonly list: string | null }
  | { readonly kind: "file"; readonly holds: "image" | "mask" | "file"; readonly suffix: string };

export interface NodeType {
  /** What a document writes: `Sample@1` or `#render`. */
  readonly id: string;
  readonly title: string;
  readonly doc: string;
  readonly category: string;
  readonly lane: string;
  readonly pure: boolean;
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly OutputPort[];
  readonly aliases: readonly string[];
  readonly known: boolean;
}

export type Catalogue = ReadonlyMap<string, NodeType>;

/** What people read in place of the words of a pack, which are English. */
export interface Names {
  readonly nodes: Readonly<Record<string, string>>;
  readonly categories: Readonly<Record<string, string>>;
  /** By the name of a port, or by `Node.port` where it is called otherwise on that node. */
  readonly ports: Readonly<Record<string, string>>;
  /** Descriptions of nodes and ports, by what the pack says: where that changes, its own words are shown again. */
  readonly docs: Readonly<Record<string, string>>;
  /** Names and descriptions of the workflows that ship, likewise. */
  readonly templates: Readonly<Record<string, string>>;
}

export function catalogue(schemas: Readonly<Record<string, NodeSchema>>, names?: Names): Catalogue {
  return new Map(Object.entries(schemas).map(([name, schema]) => [name, nodeType(name, schema, names)]));
}

function nodeType(name: string, schema: NodeSchema, names?: Names): NodeType {
  const required = new Set(schema.inputs.required);
  const own = names && name in names.nodes ? names : undefined; // ports of other packs may mean something else
  const title = (port: string) => own?.ports[`${name}.${port}`] ?? own?.ports[port] ?? words(port);
  const said = (doc = "") => names?.docs[doc] ?? doc;
  return {
    id: `${name}@${schema.version}`,
    title: own?.nodes[name] ?? schema.title,
    doc: said(schema.description),
    category: names?.categories[schema.category] ?? schema.category,
    lane: schema.lane,
    pure: schema.pure,
    inputs: Object.entries(schema.inputs.properties).map(([port, input]) => ({
      name: port,
      type: input["x-type"],
      title: title(port),
      doc: said(input.description),
      required: required.has(port),
      list: input["x-type"].startsWith("list["),
      widget: widget(input),
      default: input.default,
    })),
    outputs: Object.entries(schema.outputs).map(([port, output]) => ({
      name: port,
      type: output["x-type"],
      title: title(port),
      doc: said(output.description),
    })),
    aliases: schema.aliases ?? [],
    known: true,
  };
}

/** `text_encoder` -> `text encoder`. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** What edits an input, from its schema alone; null for a port that only a link can feed. */
export function widget(schema: Schema): Widget | null {
  const hint = schema["x-widget"];
  const plain = { ...schema, ...schema.anyOf?.find((s) => s.type !== "null") };
  if (schema["x-choices"] !== undefined) return { kind: "choice", values: [], list: schema["x-choices"] };
  if (plain.enum) return { kind: "choice", values: plain.enum, list: null };
  if (plain.type === "boolean") return { kind: "toggle" };
  if (plain.type === "integer" || plain.type === "number") {
    const min = plain.minimum ?? plain.exclusiveMinimum ?? -Infinity;
    const max = plain.maximum ?? Infinity;
    if (hint?.kind === "seed") return { kind: "seed", min: Math.max(0, min), max: Math.min(max, 2 ** 53 - 1) };
    const whole = plain.type === "integer";
    const step = number(hint?.step) ?? plain.multipleOf ?? (whole ? 1 : 0.1);
    const slider = hint?.kind === "slider";
    return {
      kind: slider ? "slider" : "number",
      whole,
      min: slider ? (number(hint?.min) ?? min) : min,
      max: slider ? (number(hint?.max) ?? max) : max,
      step,
    };
  }
  if (plain.type === "string") {
    if (hint?.kind === "colour" || hint?.kind === "boxes") return { kind: hint.kind };
    if (hint?.kind === "textarea") {
      return { kind: "textarea", wildcards: typeof hint.wildcards === "string" ? hint.wildcards : null };
    }
    if (plain.format === "path" || hint?.kind === "image" || hint?.kind === "mask" || hint?.kind === "file") {
      const holds = hint?.kind === "image" || hint?.kind === "mask" ? hint.kind : "file";
      return { kind: "file", holds, suffix: typeof hint?.suffix === "string" ? hint.suffix : "" };
    }
    return { kind: "text" };
  }
  if (plain.type === "array" && plain.items?.type === "string") return { kind: "lines" };
  return plain.type === undefined ? null : { kind: "json" };
}

function number(value: Json | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** What a new node of a type holds: every default, so that a default that changes later changes no old document. */
export function defaults(type: NodeType): Record<string, Json> {
  const made: Record<string, Json> = {};
  for (const input of type.inputs) {
    if (input.widget && input.default !== undefined && input.default !== null) made[input.name] = input.default;
    else if (input.widget && input.required) made[input.name] = blank(input.widget);
  }
  return made;
}

function blank(widget: Widget): Json {
  switch (widget.kind) {
    case "toggle":
      return false;
    case "number":
    case "slider":
    case "seed":
      return Math.min(Math.max(0, widget.min), widget.max);
    case "choice":
      return widget.values[0] ?? "";
    case "lines":
      return [];
    case "colour":
      return "#808080";
    default:
      return "";
  }
}

/** The type of a node of a document: from the catalogue, from a definition, or drawn from what the node itself says. */
export function typeOf(step: Step, document: Workflow, known: Catalogue): NodeType {
  if (step.type.startsWith("#")) {
    const definition = document.definitions?.[step.type.slice(1)];
    return definition ? definitionType(step.type, definition, document, known) : unknownType(step);
  }
  // asked for every node whenever anything changes, so nothing is cut from its name each time
  const found = named.get(known) ?? new Map<string, NodeType | undefined>();
  named.set(known, found);
  if (!found.has(step.type)) found.set(step.type, known.get(step.type.slice(0, step.type.indexOf("@"))));
  return found.get(step.type) ?? unknownType(step);
}

const named = new WeakMap<Catalogue, Map<string, NodeType | undefined>>();

const made = new WeakMap<Graph, { document: Workflow["definitions"]; known: Catalogue; type: NodeType }>();

function definitionType(id: string, definition: Graph, document: Workflow, known: Catalogue): NodeType {
  const last = made.get(definition);
  if (last && last.document === document.definitions && last.known === known && last.type.id === id) return last.type;
  const inputs = Object.entries(definition.inputs ?? {}).flatMap(([name, exposed]): InputPort[] => {
    const inner = innerInput(definition, exposed.to[0] ?? "", document, known);
    if (!inner) return [];
    const { value, port } = inner;
    const set = value !== undefined && linksOf(value).length === 0;
    return [
      {
        ...port,
        name,
        title: exposed.title || words(name),
        doc: exposed.description || port.doc,
        required: port.required && !set,
        default: set ? (value as Json) : port.default,
      },
    ];
  });
  const outputs = Object.entries(definition.outputs ?? {}).map(([name, from]): OutputPort => {
    const { node, port } = end(from.$from);
    const inner = definition.nodes[node];
    const found = inner && typeOf(inner, document, known).outputs.find((o) => o.name === port);
    return { name, type: found?.type ?? "?", title: words(name), doc: found?.doc ?? "" };
  });
  const type: NodeType = {
    id,
    title: words(id.slice(1)),
    doc: "",
    category: "subgraphs",
    lane: "",
    pure: true,
    inputs,
    outputs,
    aliases: [],
    known: true,
  };
  made.set(definition, { document: document.definitions, known, type });
  return type;
}

function innerInput(graph: Graph, target: string, document: Workflow, known: Catalogue) {
  const { node, port } = end(target);
  const step = graph.nodes[node];
  if (!step) return undefined;
  const found = typeOf(step, document, known).inputs.find((i) => i.name === port);
  return found && { port: found, value: step.inputs?.[port] };
}

const unknown = new WeakMap<Step, NodeType>();

/** A node whose pack is missing keeps its values and links: its ports are those that the document names. */
function unknownType(step: Step): NodeType {
  const last = unknown.get(step);
  if (last) return last;
  const inputs = Object.entries(step.inputs ?? {}).map(
    ([name, value]): InputPort => ({
      name,
      type: "?",
      title: words(name),
      doc: "",
      required: false,
      list: Array.isArray(value),
      widget: linksOf(value).length > 0 ? null : { kind: "json" },
      default: undefined,
    }),
  );
  const type: NodeType = {
    id: step.type,
    title: step.type.replace(/@\d+$/, ""),
    doc: "",
    category: "",
    lane: "",
    pure: true,
    inputs,
    outputs: [],
    aliases: [],
    known: false,
  };
  unknown.set(step, type);
  return type;
}
