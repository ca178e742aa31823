/** Edits of one graph: pure functions from a graph to a graph. What they do not touch stays the same object. */

import { type Catalogue, defaults, type NodeType, typeOf } from "./catalogue";
import {
  type End,
  type Exposed,
  end,
  freeName,
  type Graph,
  type Group,
  isLink,
  type Layout,
  type Link,
  type Look,
  link,
  linksOf,
  type Mode,
  type Note,
  type Point,
  type Step,
  type Value,
  type Wire,
  type Workflow,
  wireId,
  wires,
  wiresFrom,
} from "./document";
import { bestInput, bestOutput, type Fits, fitOf, given } from "./fit";
import { renamedReroutes } from "./reroutes";

export function addNode(graph: Graph, type: NodeType, at: Point, values: Record<string, Value> = {}) {
  const id = freeName(type.id.replace(/^[a-z0-9_]+\/|^#|@\d+$/g, "").replace(/@\d+$/, ""), Object.keys(graph.nodes));
  const step: Step = { type: type.id, inputs: { ...defaults(type), ...values } };
  return { id, graph: place({ ...graph, nodes: { ...graph.nodes, [id]: step } }, { [id]: at }) };
}

export function setValue(graph: Graph, target: End, value: Value | undefined): Graph {
  const step = graph.nodes[target.node];
  if (!step || step.inputs?.[target.port] === value) return graph;
  const inputs = { ...step.inputs };
  if (value === undefined) delete inputs[target.port];
  else inputs[target.port] = value;
  return { ...graph, nodes: { ...graph.nodes, [target.node]: { ...step, inputs } } };
}

/** Take away what an input holds, such as that of a port which its type no longer has. */
export function removeInput(graph: Graph, target: End): Graph {
  return setValue(graph, target, undefined);
}

/** Link an output to an input. A list input gathers links; any other gives up the one it had. */
export function connect(graph: Graph, source: End, target: End, list: boolean): Graph {
  const old = linksOf(graph.nodes[target.node]?.inputs?.[target.port]);
  const made = link(source);
  if (old.some((l) => l.$from === made.$from)) return graph;
  const value: Value = list && old.length > 0 ? [...old, made] : list ? [made] : made;
  return setValue(graph, target, value);
}

/** Let everything that one output feeds be fed by another, over the same points. */
export function moveLinks(graph: Graph, from: End, to: End): Graph {
  const [old, made] = [link(from).$from, link(to)];
  let moved = graph;
  for (const { target } of wiresFrom(graph, from)) {
    const value = graph.nodes[target.node]?.inputs?.[target.port];
    const links = linksOf(value).map((l) => (l.$from === old ? made : l));
    const once = links.filter((l, i) => links.findIndex((other) => other.$from === l.$from) === i);
    moved = setValue(moved, target, isLink(value) ? made : once);
  }
  const { reroutes } = graph.layout ?? {};
  if (!reroutes) return moved;
  const renamed = renamedReroutes(reroutes, (w) => (link(w.source).$from === old ? { ...w, source: to } : w));
  return withLayout(moved, { reroutes: renamed });
}

/** Take a link away. The input falls back to `otherwise`, the default of its widget where it has one. */
export function disconnect(graph: Graph, wire: Wire, otherwise?: Value): Graph {
  const value = graph.nodes[wire.target.node]?.inputs?.[wire.target.port];
  const name = link(wire.source).$from;
  const kept = linksOf(value).filter((l) => l.$from !== name);
  if (kept.length === linksOf(value).length) return graph;
  const cut = setValue(graph, wire.target, kept.length === 0 ? otherwise : isLink(value) ? kept[0] : kept);
  const { [wireId(wire)]: points, ...reroutes } = graph.layout?.reroutes ?? {};
  return points ? withLayout(cut, { reroutes }) : cut;
}

export function removeNodes(graph: Graph, ids: Iterable<string>): Graph {
  const gone = new Set(ids);
  if (gone.size === 0) return graph;
  let changed: Graph = { ...graph, nodes: without(graph.nodes, gone) };
  for (const wire of wires(graph)) {
    if (gone.has(wire.source.node) && !gone.has(wire.target.node)) changed = disconnect(changed, wire);
  }
  const inputs: Record<string, Exposed> = {};
  for (const [name, exposed] of Object.entries(graph.inputs ?? {})) {
    const to = exposed.to.filter((t) => !gone.has(end(t).node));
    if (to.length > 0) inputs[name] = to.length === exposed.to.length ? exposed : { ...exposed, to };
  }
  const outputs = Object.fromEntries(
    Object.entries(graph.outputs ?? {}).filter(([, from]) => !gone.has(end(from.$from).node)),
  );
  return {
    ...changed,
    ...(graph.inputs && { inputs }),
    ...(graph.outputs && { outputs }),
    ...(graph.layout && {
      layout: {
        ...graph.layout,
        ...(graph.layout.nodes && { nodes: without(graph.layout.nodes, gone) }),
        ...(graph.layout.looks && { looks: without(graph.layout.looks, gone) }),
        ...(graph.layout.reroutes && {
          reroutes: renamedReroutes(graph.layout.reroutes, (w) =>
            gone.has(w.source.node) || gone.has(w.target.node) ? null : w,
          ),
        }),
      },
    }),
  };
}

/** Remove nodes, and link what fed each of them to what it fed, where the types fit. */
export function dissolve(graph: Graph, ids: Iterable<string>, document: Workflow, known: Catalogue, fits: Fits): Graph {
  let changed = graph;
  for (const id of ids) {
    const step = changed.nodes[id];
    if (!step) continue;
    const type = typeOf(step, document, known);
    const bridges: { source: End; target: End; list: boolean }[] = [];
    for (const wire of wires(changed)) {
      const after = wire.source.node === id && changed.nodes[wire.target.node];
      if (!after) continue;
      const into = typeOf(after, document, known).inputs.find((i) => i.name === wire.target.port);
      if (!into) continue;
      for (const input of type.inputs) {
        const [before] = linksOf(step.inputs?.[input.name]);
        if (!before) continue;
        const source = end(before.$from);
        if (!fitOf(fits, given(changed, source, document, known), into.type)) continue;
        bridges.push({ source, target: wire.target, list: into.list });
        break;
      }
    }
    changed = removeNodes(changed, [id]);
    for (const b of bridges) changed = connect(changed, b.source, b.target, b.list);
  }
  return changed;
}

/** Put a node that lies loose into a link: what fed the link feeds it, and it feeds what the link fed. */
export function splice(
  graph: Graph,
  id: string,
  wire: Wire,
  document: Workflow,
  known: Catalogue,
  fits: Fits,
): Graph | null {
  const step = graph.nodes[id];
  const after = graph.nodes[wire.target.node];
  if (!step || !after || wire.source.node === id || wire.target.node === id) return null;
  if (wires(graph).some((w) => w.source.node === id || w.target.node === id)) return null;
  const type = typeOf(step, document, known);
  const into = typeOf(after, document, known).inputs.find((i) => i.name === wire.target.port);
  if (!into) return null;
  const input = bestInput(type, given(graph, wire.source, document, known), fits);
  const output = bestOutput(type, into.type, fits);
  const takes = type.inputs.find((i) => i.name === input);
  if (!input || !output || !takes) return null;
  const fed = connect(graph, wire.source, { node: id, port: input }, takes.list);
  return connect(disconnect(fed, wire), { node: id, port: output }, wire.target, into.list);
}

export function place(graph: Graph, at: Readonly<Record<string, Point>>): Graph {
  return withLayout(graph, { nodes: { ...graph.layout?.nodes, ...at } });
}

export function withLook(graph: Graph, ids: Iterable<string>, look: Partial<Look>): Graph {
  const looks: Record<string, Look> = { ...graph.layout?.looks };
  for (const id of ids) {
    const merged = Object.fromEntries(Object.entries({ ...looks[id], ...look }).filter(([, v]) => v !== undefined));
    if (Object.keys(merged).length > 0) looks[id] = merged;
    else delete looks[id];
  }
  return withLayout(graph, { looks });
}

/** Bypass or mute nodes, or let them run where all of them are in that mode. */
export function toggleMode(graph: Graph, ids: readonly string[], mode: Mode): Graph {
  const off = ids.every((id) => graph.nodes[id]?.mode === mode);
  return withMode(graph, ids, off ? undefined : mode);
}

export function withMode(graph: Graph, ids: readonly string[], mode: Mode | undefined): Graph {
  const nodes: Record<string, Step> = { ...graph.nodes };
  for (const id of ids) {
    const step = nodes[id];
    if (!step || step.mode === mode) continue;
    const { mode: _, ...rest } = step;
    nodes[id] = mode === undefined ? rest : { ...rest, mode };
  }
  return { ...graph, nodes };
}

export function withLayout(graph: Graph, layout: Partial<Layout>): Graph {
  return { ...graph, layout: { ...graph.layout, ...layout } };
}

export function addNote(graph: Graph, at: Point, text: string): { id: string; graph: Graph } {
  const notes = graph.layout?.notes ?? [];
  const id = freeName(
    "note",
    notes.map((n) => n.id),
  );
  return { id, graph: withLayout(graph, { notes: [...notes, { id, text, at, size: [240, 120] }] }) };
}

export function changeNote(graph: Graph, id: string, change: Partial<Note>): Graph {
  const notes = (graph.layout?.notes ?? []).map((n) => (n.id === id ? { ...n, ...change } : n));
  return withLayout(graph, { notes });
}

export function addGroup(graph: Graph, at: Point, size: Point, title: string): { id: string; graph: Graph } {
  const groups = graph.layout?.groups ?? [];
  const id = freeName(
    "group",
    groups.map((g) => g.id),
  );
  return { id, graph: withLayout(graph, { groups: [...groups, { id, title, at, size }] }) };
}

export function changeGroup(graph: Graph, id: string, change: Partial<Group>): Graph {
  const groups = (graph.layout?.groups ?? []).map((g) => (g.id === id ? { ...g, ...change } : g));
  return withLayout(graph, { groups });
}

export function removeDecoration(graph: Graph, ids: Iterable<string>): Graph {
  const gone = new Set(ids);
  const keep = <T extends { id: string }>(items: readonly T[] | undefined) => items?.filter((i) => !gone.has(i.id));
  const notes = keep(graph.layout?.notes);
  const groups = keep(graph.layout?.groups);
  if (notes?.length === graph.layout?.notes?.length && groups?.length === graph.layout?.groups?.length) return graph;
  return withLayout(graph, { ...(notes && { notes }), ...(groups && { groups }) });
}

/** Give a node another id, everywhere it is named. */
export function renameNode(graph: Graph, old: string, wanted: string): { id: string; graph: Graph } {
  const taken = Object.keys(graph.nodes).filter((id) => id !== old);
  const id = freeName(wanted, taken);
  if (id === old || !graph.nodes[old]) return { id: old, graph };
  const moved = (l: Link): Link => (end(l.$from).node === old ? link({ node: id, port: end(l.$from).port }) : l);
  const keys = <T>(items: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(items).map(([k, v]) => [k === old ? id : k, v]));
  const nodes: Record<string, Step> = {};
  for (const [key, step] of Object.entries(graph.nodes)) {
    nodes[key === old ? id : key] = relinked(step, moved);
  }
  const inputs = Object.fromEntries(
    Object.entries(graph.inputs ?? {}).map(([name, exposed]) => [
      name,
      { ...exposed, to: exposed.to.map((t) => (end(t).node === old ? `${id}.${end(t).port}` : t)) },
    ]),
  );
  const outputs = Object.fromEntries(Object.entries(graph.outputs ?? {}).map(([name, from]) => [name, moved(from)]));
  const layout = graph.layout && {
    ...graph.layout,
    ...(graph.layout.nodes && { nodes: keys(graph.layout.nodes) }),
    ...(graph.layout.looks && { looks: keys(graph.layout.looks) }),
    ...(graph.layout.reroutes && {
      reroutes: renamedReroutes(graph.layout.reroutes, ({ source, target }) => ({
        source: source.node === old ? { ...source, node: id } : source,
        target: target.node === old ? { ...target, node: id } : target,
      })),
    }),
  };
  return { id, graph: { ...graph, nodes, inputs, outputs, ...(layout && { layout }) } };
}

/** `step` with each of its links replaced; the same object where none was. */
export function relinked(step: Step, replace: (link: Link) => Link | null): Step {
  let same = true;
  const inputs: Record<string, Value> = {};
  for (const [name, value] of Object.entries(step.inputs ?? {})) {
    const old = linksOf(value);
    if (old.length === 0) {
      inputs[name] = value;
      continue;
    }
    const next = old.map(replace).filter((l) => l !== null);
    if (next.length === old.length && next.every((l, i) => l === old[i])) {
      inputs[name] = value;
      continue;
    }
    same = false;
    const [first] = next;
    if (first) inputs[name] = isLink(value) ? first : next;
  }
  return same ? step : { ...step, inputs };
}

/** The name under which an input is exposed, if it is. */
export function exposedName(graph: Graph, target: End): string | undefined {
  const wanted = `${target.node}.${target.port}`;
  return Object.entries(graph.inputs ?? {}).find(([, e]) => e.to.includes(wanted))?.[0];
}

/** The inputs of a node that are exposed. */
export function exposedPorts(graph: Graph, node: string): string[] {
  const found: string[] = [];
  for (const name in graph.inputs) {
    for (const to of graph.inputs[name]?.to ?? []) if (to.startsWith(`${node}.`)) found.push(end(to).port);
  }
  return found;
}

export function expose(graph: Graph, target: End, title: string): Graph {
  if (exposedName(graph, target)) return graph;
  const inputs = graph.inputs ?? {};
  const plain = freeName(target.port, []);
  const name = plain in inputs ? freeName(`${target.node}_${target.port}`, Object.keys(inputs)) : plain;
  return { ...graph, inputs: { ...inputs, [name]: { to: [`${target.node}.${target.port}`], title } } };
}

export function hide(graph: Graph, target: End): Graph {
  const name = exposedName(graph, target);
  const exposed = name === undefined ? undefined : graph.inputs?.[name];
  if (name === undefined || !exposed) return graph;
  const to = exposed.to.filter((t) => t !== `${target.node}.${target.port}`);
  const inputs = { ...graph.inputs };
  if (to.length === 0) delete inputs[name];
  else inputs[name] = { ...exposed, to };
  return { ...graph, inputs };
}

/** The exposed inputs in another order: the order of the form. */
export function orderExposed(graph: Graph, names: readonly string[]): Graph {
  const inputs = Object.fromEntries(names.flatMap((n) => (graph.inputs?.[n] ? [[n, graph.inputs[n]]] : [])));
  return { ...graph, inputs };
}

export function setOutput(graph: Graph, source: End): Graph {
  const outputs = graph.outputs ?? {};
  const name = source.port in outputs ? freeName(`${source.node}_${source.port}`, Object.keys(outputs)) : source.port;
  return { ...graph, outputs: { ...outputs, [name]: link(source) } };
}

export function removeOutput(graph: Graph, source: End): Graph {
  const from = link(source).$from;
  return {
    ...graph,
    outputs: Object.fromEntries(Object.entries(graph.outputs ?? {}).filter(([, l]) => l.$from !== from)),
  };
}

/** The ids that feed `from`, or that it feeds, over any number of links. */
export function reachable(graph: Graph, from: Iterable<string>, way: "up" | "down"): Set<string> {
  const next = new Map<string, string[]>();
  for (const { source, target } of wires(graph)) {
    const [a, b] = way === "up" ? [target.node, source.node] : [source.node, target.node];
    next.set(a, [...(next.get(a) ?? []), b]);
  }
  const found = new Set(from);
  const queue = [...found];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    for (const other of next.get(id) ?? []) {
      if (!found.has(other)) {
        found.add(other);
        queue.push(other);
      }
    }
  }
  return found;
}

function without<T>(items: Readonly<Record<string, T>>, gone: ReadonlySet<string>): Record<string, T> {
  return Object.fromEntries(Object.entries(items).filter(([id]) => !gone.has(id)));
}
