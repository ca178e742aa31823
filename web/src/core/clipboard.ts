/** Copied nodes as text: a small document, so that it can be pasted into another tab, a window or a chat. */

import {
  type End,
  end,
  freeName,
  type Graph,
  isWorkflow,
  link,
  type Point,
  type Step,
  type Workflow,
} from "./document";
import { addGroup, addNote, changeGroup, changeNote, place, relinked, withLayout, withLook } from "./edits";
import { renamedReroutes } from "./reroutes";

/** What is copied of a graph: the ids of its nodes, notes and frames. */
export interface Chosen {
  readonly nodes: readonly string[];
  readonly notes: readonly string[];
  readonly groups: readonly string[];
}

/** The text of what is chosen. Links from outside are kept, for whoever pastes beside the nodes that feed them. */
export function copy(document: Workflow, graph: Graph, { nodes: chosen, ...rest }: Chosen): string {
  const pick = <T>(items: Readonly<Record<string, T>> | undefined) =>
    Object.fromEntries(chosen.flatMap((id) => (items?.[id] === undefined ? [] : [[id, items[id]]])));
  const used = definitionsUsed(document, Object.values(pick(graph.nodes)));
  const notes = graph.layout?.notes?.filter((n) => rest.notes.includes(n.id)) ?? [];
  const groups = graph.layout?.groups?.filter((g) => rest.groups.includes(g.id)) ?? [];
  const made: Workflow = {
    format: "nodegraph/1",
    nodes: pick(graph.nodes),
    ...(used.length > 0 && {
      definitions: Object.fromEntries(
        used.flatMap((n) => {
          const definition = document.definitions?.[n];
          return definition ? [[n, definition]] : [];
        }),
      ),
    }),
    layout: {
      nodes: pick(graph.layout?.nodes),
      looks: pick(graph.layout?.looks),
      ...(graph.layout?.reroutes && {
        reroutes: renamedReroutes(graph.layout.reroutes, (w) =>
          chosen.includes(w.source.node) && chosen.includes(w.target.node) ? w : null,
        ),
      }),
      ...(notes.length > 0 && { notes }),
      ...(groups.length > 0 && { groups }),
    },
  };
  return JSON.stringify(made, null, 1);
}

function definitionsUsed(document: Workflow, steps: readonly Step[]): string[] {
  const found = new Set<string>();
  const visit = (step: Step) => {
    const name = step.type.startsWith("#") ? step.type.slice(1) : undefined;
    if (name === undefined || found.has(name)) return;
    found.add(name);
    for (const inner of Object.values(document.definitions?.[name]?.nodes ?? {})) visit(inner);
  };
  for (const step of steps) visit(step);
  return [...found];
}

export interface Pasted {
  readonly document: Workflow;
  readonly graph: Graph;
  readonly ids: readonly string[];
}

/** Nodes from text with new ids, around `at`. Null where the text is not ours.
 *
 * @param keepLinks Whether links from nodes that were not copied stay, where those nodes are here.
 */
export function paste(document: Workflow, graph: Graph, text: string, at: Point, keepLinks: boolean): Pasted | null {
  const copied = read(text);
  if (!copied) return null;
  const names: Record<string, string> = {};
  const taken = Object.keys(graph.nodes);
  for (const id of Object.keys(copied.nodes)) {
    names[id] = freeName(id, taken);
    taken.push(names[id] ?? id);
  }
  const definitions: Record<string, Graph> = { ...document.definitions };
  const types: Record<string, string> = {};
  for (const [name, definition] of Object.entries(copied.definitions ?? {})) {
    const old = definitions[name];
    const same = old !== undefined && JSON.stringify(old) === JSON.stringify(definition);
    const free = old === undefined || same ? name : freeName(name, Object.keys(definitions));
    types[`#${name}`] = `#${free}`;
    definitions[free] = old !== undefined && same ? old : definition;
  }
  const nodes: Record<string, Step> = { ...graph.nodes };
  for (const [id, step] of Object.entries(copied.nodes)) {
    const linked = relinked(step, (l) => {
      const { node, port } = end(l.$from);
      const inside = names[node];
      if (inside !== undefined) return link({ node: inside, port });
      return keepLinks && node in graph.nodes ? l : null;
    });
    nodes[names[id] ?? id] = { ...linked, type: types[step.type] ?? step.type };
  }
  const { nodes: places = {}, notes = [], groups = [] } = copied.layout ?? {};
  const corners = [...Object.values(places), ...notes.map((n) => n.at), ...groups.map((g) => g.at)];
  const left = corners.length > 0 ? Math.min(...corners.map((p) => p[0])) : 0;
  const top = corners.length > 0 ? Math.min(...corners.map((p) => p[1])) : 0;
  const by: Point = [at[0] - left, at[1] - top];
  const shifted = ([x, y]: Point): Point => [x + by[0], y + by[1]];
  const moved: Record<string, Point> = {};
  for (const id of Object.keys(copied.nodes)) moved[names[id] ?? id] = shifted(places[id] ?? [left, top]);
  let made = place({ ...graph, nodes }, moved);
  for (const [id, look] of Object.entries(copied.layout?.looks ?? {})) made = withLook(made, [names[id] ?? id], look);
  for (const { id: _, ...note } of notes) {
    const added = addNote(made, shifted(note.at), note.text);
    made = changeNote(added.graph, added.id, { ...note, at: shifted(note.at) });
  }
  for (const { id: _, ...group } of groups) {
    const added = addGroup(made, shifted(group.at), group.size, group.title);
    made = changeGroup(added.graph, added.id, { ...group, at: shifted(group.at) });
  }
  if (copied.layout?.reroutes) {
    const inside = ({ node, port }: End) => ({ node: names[node] ?? node, port });
    const led = renamedReroutes(
      copied.layout.reroutes,
      (w) => ({ source: inside(w.source), target: inside(w.target) }),
      by,
    );
    made = withLayout(made, { reroutes: { ...made.layout?.reroutes, ...led } });
  }
  const whole = Object.keys(types).length > 0 ? { ...document, definitions } : document;
  return { document: whole, graph: made, ids: Object.values(names) };
}

function read(text: string): Workflow | null {
  try {
    const value: unknown = JSON.parse(text);
    return isWorkflow(value) ? value : null;
  } catch {
    return null;
  }
}
