/** Subgraphs: some nodes of a graph become a definition and one instance of it, and back. */

import { type Catalogue, typeOf } from "./catalogue";
import {
  definitionAt,
  type End,
  type Exposed,
  end,
  freeName,
  type Graph,
  graphAt,
  type Link,
  link,
  linksOf,
  type Point,
  type Step,
  type Value,
  type Wire,
  type Workflow,
  wires,
  withGraph,
} from "./document";
import { relinked, removeNodes, withLayout } from "./edits";
import { renamedReroutes } from "./reroutes";

/** Move `ids` of the graph at `path` into a new definition. Links that cross its edge become its inputs and outputs. */
export function gather(document: Workflow, path: readonly string[], ids: readonly string[], name: string) {
  const graph = graphAt(document, path);
  const inside = new Set(ids.filter((id) => id in graph.nodes));
  if (inside.size === 0) return null;
  const definition = freeName(name, Object.keys(document.definitions ?? {}));
  const inputs: Record<string, Exposed> = {};
  const outputs: Record<string, Link> = {};
  const sockets = new Map<string, string>();
  const given: Record<string, Value> = {};
  for (const id of inside) {
    for (const [port, value] of Object.entries(graph.nodes[id]?.inputs ?? {})) {
      const outer = linksOf(value).filter((l) => !inside.has(end(l.$from).node));
      if (outer.length === 0) continue;
      if (outer.length < linksOf(value).length) return null; // a list fed from both sides cannot be one socket
      const shared = sockets.get(JSON.stringify(value));
      if (shared) {
        const old = inputs[shared];
        inputs[shared] = { to: [...(old?.to ?? []), `${id}.${port}`] };
      } else {
        const socket = freeName(port in inputs ? `${id}_${port}` : port, Object.keys(inputs));
        sockets.set(JSON.stringify(value), socket);
        inputs[socket] = { to: [`${id}.${port}`] };
        given[socket] = value;
      }
    }
  }
  const renamed: Record<string, string> = {};
  for (const [socketName, exposed] of Object.entries(graph.inputs ?? {})) {
    const within = exposed.to.filter((t) => inside.has(end(t).node));
    const [first] = within;
    if (!first) continue;
    const { node, port } = end(first);
    const socket = freeName(socketName, Object.keys(inputs));
    inputs[socket] = { ...exposed, to: within };
    const value = graph.nodes[node]?.inputs?.[port];
    if (value !== undefined) given[socket] = value;
    for (const t of within) renamed[t] = socket;
  }
  const instance = freeName(definition, Object.keys(graph.nodes));
  for (const { source, target } of wires(graph)) {
    if (inside.has(source.node) && !inside.has(target.node)) socketOut(outputs, source);
  }
  for (const from of Object.values(graph.outputs ?? {})) {
    if (inside.has(end(from.$from).node)) socketOut(outputs, end(from.$from));
  }
  const outer = (from: Link): Link => {
    const source = end(from.$from);
    return inside.has(source.node) ? link({ node: instance, port: socketOut(outputs, source) }) : from;
  };
  const nodes: Record<string, Step> = {};
  for (const id of inside) {
    const step = graph.nodes[id];
    if (step) nodes[id] = relinked(step, (l) => (inside.has(end(l.$from).node) ? l : null));
  }
  const places = Object.fromEntries(Object.entries(graph.layout?.nodes ?? {}).filter(([id]) => inside.has(id)));
  const looks = Object.fromEntries(Object.entries(graph.layout?.looks ?? {}).filter(([id]) => inside.has(id)));
  const kept: Graph = {
    ...graph,
    nodes: Object.fromEntries(
      Object.entries(graph.nodes).map(([id, step]) => [id, inside.has(id) ? step : relinked(step, outer)]),
    ),
    outputs: Object.fromEntries(Object.entries(graph.outputs ?? {}).map(([k, from]) => [k, outer(from)])),
    inputs: Object.fromEntries(
      Object.entries(graph.inputs ?? {}).map(([k, exposed]) => {
        const to = exposed.to.map((t) => (t in renamed ? `${instance}.${renamed[t]}` : t));
        return [k, { ...exposed, to: [...new Set(to)] }];
      }),
    ),
  };
  const cleared = removeNodes(kept, inside);
  const replaced = withLayout(
    { ...cleared, nodes: { ...cleared.nodes, [instance]: { type: `#${definition}`, inputs: given } } },
    { nodes: { ...cleared.layout?.nodes, [instance]: middle(Object.values(places)) } },
  );
  const within = ({ source, target }: Wire) => inside.has(source.node) && inside.has(target.node);
  const reroutes = renamedReroutes(graph.layout?.reroutes, (w) => (within(w) ? w : null));
  const made: Graph = { nodes, inputs, outputs, layout: { nodes: places, looks, reroutes } };
  const whole = withGraph(document, path, replaced);
  return { id: instance, document: { ...whole, definitions: { ...whole.definitions, [definition]: made } } };
}

function socketOut(outputs: Record<string, Link>, source: End): string {
  const from = link(source);
  const old = Object.entries(outputs).find(([, l]) => l.$from === from.$from);
  if (old) return old[0];
  const name = source.port in outputs ? freeName(`${source.node}_${source.port}`, Object.keys(outputs)) : source.port;
  outputs[name] = from;
  return name;
}

/** Put the insides of an instance in its place. */
export function unfold(document: Workflow, path: readonly string[], id: string) {
  const graph = graphAt(document, path);
  const name = definitionAt(document, [...path, id]);
  const definition = name === undefined ? undefined : document.definitions?.[name];
  const instance = graph.nodes[id];
  if (!definition || !instance) return null;
  const names: Record<string, string> = {};
  const taken = Object.keys(graph.nodes).filter((other) => other !== id);
  for (const inner of Object.keys(definition.nodes)) {
    const free = freeName(inner, taken);
    names[inner] = free;
    taken.push(free);
  }
  const nodes: Record<string, Step> = {};
  const renamed = (from: Link): Link => {
    const { node, port } = end(from.$from);
    return link({ node: names[node] ?? node, port });
  };
  for (const [inner, step] of Object.entries(definition.nodes)) {
    const mode = instance.mode ?? step.mode;
    nodes[names[inner] ?? inner] = { ...relinked(step, renamed), ...(mode && { mode }) };
  }
  for (const [socket, exposed] of Object.entries(definition.inputs ?? {})) {
    const value = instance.inputs?.[socket];
    if (value === undefined) continue;
    for (const target of exposed.to) {
      const { node, port } = end(target);
      const inner = names[node];
      const step = inner === undefined ? undefined : nodes[inner];
      if (inner !== undefined && step) nodes[inner] = { ...step, inputs: { ...step.inputs, [port]: value } };
    }
  }
  const outer = (from: Link): Link => {
    const { node, port } = end(from.$from);
    const inner = node === id ? definition.outputs?.[port] : undefined;
    return inner ? renamed(inner) : from;
  };
  const rest: Record<string, Step> = {};
  for (const [other, step] of Object.entries(graph.nodes)) if (other !== id) rest[other] = relinked(step, outer);
  const places = Object.entries(definition.layout?.nodes ?? {});
  const at = graph.layout?.nodes?.[id] ?? [0, 0];
  const from = middle(places.map(([, p]) => p));
  const moved = Object.fromEntries(
    places.map(([inner, p]) => [names[inner] ?? inner, [p[0] - from[0] + at[0], p[1] - from[1] + at[1]] as Point]),
  );
  const looks = Object.fromEntries(
    Object.entries(definition.layout?.looks ?? {}).map(([inner, look]) => [names[inner] ?? inner, look]),
  );
  const own = ({ node, port }: End) => ({ node: names[node] ?? node, port });
  const reroutes = renamedReroutes(
    definition.layout?.reroutes,
    ({ source, target }) => ({ source: own(source), target: own(target) }),
    [at[0] - from[0], at[1] - from[1]],
  );
  const inputs = Object.fromEntries(
    Object.entries(graph.inputs ?? {}).map(([k, exposed]) => {
      const to = exposed.to.flatMap((t) => {
        const { node, port } = end(t);
        if (node !== id) return [t];
        return (definition.inputs?.[port]?.to ?? []).map((u) => `${names[end(u).node] ?? end(u).node}.${end(u).port}`);
      });
      return [k, { ...exposed, to }];
    }),
  );
  const outputs = Object.fromEntries(Object.entries(graph.outputs ?? {}).map(([k, l]) => [k, outer(l)]));
  const { [id]: _place, ...otherPlaces } = graph.layout?.nodes ?? {};
  const { [id]: _look, ...otherLooks } = graph.layout?.looks ?? {};
  const opened: Graph = {
    ...graph,
    nodes: { ...rest, ...nodes },
    inputs,
    outputs,
    layout: {
      ...graph.layout,
      nodes: { ...otherPlaces, ...moved },
      looks: { ...otherLooks, ...looks },
      reroutes: { ...graph.layout?.reroutes, ...reroutes },
    },
  };
  const whole = withGraph(document, path, opened);
  return { ids: Object.values(names), document: dropUnused(whole, name) };
}

/** A definition that nothing uses any more goes with its last instance. */
function dropUnused(document: Workflow, name: string | undefined): Workflow {
  if (name === undefined) return document;
  const graphs: Graph[] = [document, ...Object.values(document.definitions ?? {})];
  if (graphs.some((g) => Object.values(g.nodes).some((s) => s.type === `#${name}`))) return document;
  const { [name]: _, ...definitions } = document.definitions ?? {};
  return { ...document, definitions };
}

/** The one of some places that is nearest to the middle of all: what was gathered leaves room there. */
function middle(points: readonly Point[]): Point {
  const mean = (axis: 0 | 1) => points.reduce((sum, p) => sum + p[axis], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const far = (p: Point) => Math.hypot(p[0] - x, p[1] - y);
  return [...points].sort((a, b) => far(a) - far(b))[0] ?? [0, 0];
}

/** The ids, as a run names them, of the nodes that an instance stands for. */
export function inner(document: Workflow, step: Step, id: string, known: Catalogue): string[] {
  if (!step.type.startsWith("#")) return typeOf(step, document, known).known ? [id] : [];
  const definition = document.definitions?.[step.type.slice(1)];
  return Object.entries(definition?.nodes ?? {}).flatMap(([k, s]) => inner(document, s, `${id}/${k}`, known));
}
