import { useCallback } from "react";
import { focusNode } from "../canvas/focus";
import { isLive } from "../canvas/live";
import { reveal } from "../canvas/state";
import { type NodeType, typeOf } from "../core/catalogue";
import type { End, Graph, Point } from "../core/document";
import { addNode, connect, place } from "../core/edits";
import { bestInput, bestOutput } from "../core/fit";
import { below } from "../core/layout";
import { search } from "../core/search";
import { fits, known } from "../state/catalogue";
import { boxes } from "../state/geometry";
import { currentDocument, edit, select } from "../state/session";
import { announce, closeDialog, type Pull } from "../state/view";
import { t } from "../text";
import { Dot } from "../ui/Dot";
import { Picker } from "../ui/Picker";
import { Prose } from "../ui/Prose";
import { countUse, usedMost } from "./usage";

interface Props {
  readonly at: Point;
  readonly screen: Point | null;
  readonly pull: Pull | null;
}

const WIDTH = 520;
const HEIGHT = 440;

/** Adding a node: every type, or those that a waiting link fits, which then arrive linked. */
export default function Palette({ at, screen, pull }: Props) {
  const find = useCallback(
    (query: string) => {
      const types = [...known().values(), ...definitions()].filter((type) => port(type, pull) !== null);
      const found = search(types, query, (n) => [
        n.title,
        [n.id, ...n.aliases].join(" "),
        n.category,
        n.doc,
        n.inputs.map((i) => i.type).join(" "),
      ]);
      if (query.trim() !== "") {
        const last = (n: NodeType) => (n.title.toLowerCase() === query.trim().toLowerCase() ? 0 : foreign(n));
        return found.sort((a, b) => last(a) - last(b));
      }
      const often = usedMost();
      return pull
        ? [...found].sort(
            (a, b) =>
              (often.get(b.id) ?? 0) - (often.get(a.id) ?? 0) ||
              foreign(a) - foreign(b) ||
              needs(a, pull) - needs(b, pull),
          )
        : [...found].sort((a, b) => foreign(a) - foreign(b) || a.category.localeCompare(b.category));
    },
    [pull],
  );
  const add = (type: NodeType) => {
    closeDialog();
    let made = "";
    edit(t.edits.add, (graph) => {
      const added = addNode(graph, type, placeFor(type, at, pull));
      made = added.id;
      if (pull) return linked(added.graph, added.id, type, pull);
      return screen ? added.graph : inTheOpen(added.graph, added.id);
    });
    countUse(type.id);
    select([made]);
    announce(`${t.edits.add}: ${type.title}`);
    requestAnimationFrame(() => {
      reveal(made);
      focusNode(made);
    });
  };
  const left = screen ? Math.max(8, Math.min(screen[0] - 40, innerWidth - WIDTH - 16)) : undefined;
  const top = screen ? Math.max(8, Math.min(screen[1] - 20, innerHeight - HEIGHT - 16)) : undefined;
  return (
    <Picker
      label={pull ? t.palette.fits(pull.type) : t.palette.label}
      placeholder={pull ? t.palette.fits(pull.type) : t.palette.placeholder}
      className="palette"
      find={find}
      keyOf={(n) => n.id.replaceAll(/\W/g, "_")}
      heading={(n) => (pull ? undefined : n.category)}
      row={(n) => (
        <>
          <span>{n.title}</span>
          <span className="quiet">{n.category}</span>
        </>
      )}
      detail={(n) => <Detail type={n} />}
      onPick={add}
      onClose={closeDialog}
      {...(left !== undefined && { style: { margin: 0, left, top } })}
    />
  );
}

/** 1 for types of other packs, whose ids begin with the pack: those of the standard one come first. */
function foreign(type: NodeType): number {
  return Number(type.id.includes("/"));
}

/** How many inputs must be fed; where the waiting link is none of them, the type comes after all that need it. */
function needs(type: NodeType, pull: Pull): number {
  const required = type.inputs.filter((i) => i.required);
  return required.length + (required.some((i) => i.name === port(type, pull)) ? 0 : 99);
}

function definitions(): NodeType[] {
  const document = currentDocument();
  return Object.keys(document.definitions ?? {}).map((name) => ({
    ...typeOf({ type: `#${name}` }, document, known()),
    category: t.palette.subgraphs,
  }));
}

/** The port of a type that takes the waiting link; undefined where no link waits, null where none takes it. */
function port(type: NodeType, pull: Pull | null): string | null | undefined {
  if (!pull) return undefined;
  const found = pull.side === "source" ? bestInput(type, pull.type, fits()) : bestOutput(type, pull.type, fits());
  return found ?? null;
}

function linked(graph: Graph, id: string, type: NodeType, pull: Pull): Graph {
  const name = port(type, pull);
  if (name === null || name === undefined) return graph;
  const here: End = { node: id, port: name };
  if (pull.side === "source") {
    return connect(
      graph,
      pull.from,
      here,
      type.inputs.some((i) => i.name === name && i.list),
    );
  }
  const step = graph.nodes[pull.from.node];
  const into = step && typeOf(step, currentDocument(), known()).inputs.find((i) => i.name === pull.from.port);
  return connect(graph, here, pull.from, into?.list === true);
}

function placeFor(type: NodeType, at: Point, pull: Pull | null): Point {
  // a node that feeds the pulled port lies to the left of the pointer, any other to the right of it
  return pull?.side === "target"
    ? [at[0] - 256, at[1] - 20]
    : pull
      ? [at[0], at[1] - 20]
      : [at[0] - 40, at[1] - 15 - type.inputs.length];
}

/** Where nobody pointed to a place, a node lies over no other. */
function inTheOpen(graph: Graph, id: string): Graph {
  const { [id]: own, ...others } = Object.fromEntries(boxes(graph, currentDocument(), isLive));
  if (!own) return graph;
  const { x, y } = below(own, Object.values(others));
  return place(graph, { [id]: [x, y] });
}

function Detail({ type }: { type: NodeType }) {
  return (
    <>
      <h3>{type.title}</h3>
      <p>
        <Prose text={type.doc.split("\n\n")[0] ?? ""} />
      </p>
      <ul>
        {type.inputs
          .filter((i) => i.widget === null)
          .map((i) => (
            <li key={i.name}>
              <Dot type={i.type} /> {i.title} <span className="quiet">{i.type}</span>
            </li>
          ))}
        {type.outputs.map((o) => (
          <li key={o.name} className="out">
            <span className="quiet">{o.type}</span> {o.title} <Dot type={o.type} />
          </li>
        ))}
      </ul>
    </>
  );
}
