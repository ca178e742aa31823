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
import { addNote, place, relinked, withLayout, withLook } from "./edits";
import { renamedReroutes } from "./reroutes";

/** The text of the chosen nodes. Links from outside are kept, for whoever pastes beside the nodes that feed them. */
export function copy(document: Workflow, graph: Graph, ids: readonly string[]): string {
  const chosen = ids.filter((id) => id in graph.nodes);
  const pick = <T>(items: Readonly<Record<string, T>> | undefined) =>
    Object.fromEntries(chosen.flatMap((id) => (items?.[id] === undefined ? [] : [[id, items[id]]])));
  const used = definitionsUsed(document, Object.values(pick(graph.nodes)));
  const notes = graph.layout?.notes?.filter((n) => ids.includes(n.id));
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
      ...(notes && notes.length > 0 && { notes }),
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
  const places = copied.layout?.nodes ?? {};
  const left = Math.min(...Object.values(places).map((p) => p[0]));
  const top = Math.min(...Object.values(places).map((p) => p[1]));
  const moved: Record<string, Point> = {};
  for (const id of Object.keys(copied.nodes)) {
    const [x, y] = places[id] ?? [left, top];
    moved[names[id] ?? id] = [
      at[0] + (Number.isFinite(left) ? x - left : 0),
      at[1] + (Number.isFinite(top) ? y - top : 0),
    ];
  }
  let made = place({ ...graph, nodes }, moved);
  for (const [id, look] of Object.entries(copied.layout?.looks ?? {})) made = withLook(made, [names[id] ?? id], look);
  for (const note of copied.layout?.notes ?? []) {
    const added = addNote(made, [at[0] + note.at[0] - left || at[0], at[1] + note.at[1] - top || at[1]], note.text);
    made = withLayout(added.graph, {});
  }
  if (copied.layout?.reroutes) {
    const inside = ({ node, port }: End) => ({ node: names[node] ?? node, port });
    const by: Point = [at[0] - left, at[1] - top];
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
