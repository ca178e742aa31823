/** Sweeps: what can vary in a document, and the cells of one in rows and columns. */

import { type Catalogue, type InputPort, typeOf } from "./catalogue";
import { type End, end, type Json, linksOf, type Value, type Workflow } from "./document";
import { setValue } from "./edits";

/** An input that can take several values: its name in the document, and what people read. */
export interface Sweepable {
  readonly name: string;
  readonly label: string;
  readonly target: End;
  readonly input: InputPort;
  readonly value: Value | undefined;
}

/** The inputs of the document's own nodes that hold a value, first those that are exposed: these go by that name,
 * with all they feed. */
export function sweepable(document: Workflow, known: Catalogue): Sweepable[] {
  const exposed = new Map<string, { name: string; title: string }>();
  for (const [name, { to, title }] of Object.entries(document.inputs ?? {})) {
    const [first, ...rest] = to;
    if (first !== undefined) exposed.set(first, { name, title: title || name });
    for (const other of rest) exposed.set(other, { name: "", title: "" });
  }
  const found = Object.entries(document.nodes).flatMap(([node, step]) => {
    const type = typeOf(step, document, known);
    const title = document.layout?.looks?.[node]?.title || type.title;
    return type.inputs.flatMap((input): Sweepable[] => {
      const value = step.inputs?.[input.name];
      const as = exposed.get(`${node}.${input.name}`);
      if (!input.widget || linksOf(value).length > 0 || as?.name === "") return [];
      const name = as?.name ?? `${node}.${input.name}`;
      const label = as ? `${as.title} (${title})` : `${title}: ${input.title}`;
      return [{ name, label, target: { node, port: input.name }, input, value: value ?? input.default }];
    });
  });
  const own = new Set([...exposed.values()].map((e) => e.name));
  return found.sort((a, b) => Number(own.has(b.name)) - Number(own.has(a.name)));
}

/** Values to begin with, as people write them: all of a few choices, some numbers from that of now on. */
export function firstValues({ input, value }: Sweepable): string {
  const { widget } = input;
  switch (widget?.kind) {
    case "toggle":
      return "false, true";
    case "choice":
      return widget.values.length > 0 && widget.values.length <= 12 ? widget.values.join(", ") : String(value ?? "");
    case "seed":
      return typeof value === "number" ? `${value}..${value + 3}` : "0..3";
    case "number":
    case "slider": {
      const now = typeof value === "number" ? value : 0;
      const by = Math.max(widget.step, Math.abs(now) / 4);
      const near = [now - by, now, now + by].map((v) => {
        const inside = Math.min(widget.max, Math.max(widget.min, v));
        return widget.whole ? Math.round(inside) : Number(inside.toPrecision(4));
      });
      return [...new Set(near)].join(", ");
    }
    default:
      return typeof value === "string" ? value : "";
  }
}

export interface Axis {
  readonly name: string;
  readonly values: readonly Json[];
}

export interface Cell {
  readonly place: readonly number[];
  readonly inputs: Readonly<Record<string, Json>>;
  readonly job: string;
}

export interface Grid {
  readonly columns: readonly Json[];
  /** One row without a value, for a sweep along one axis. */
  readonly rows: readonly (Json | undefined)[];
  readonly at: (column: number, row: number) => Cell | undefined;
}

/** The first axis goes from left to right, the second down; those beyond vary within a place, of which the first is shown. */
export function grid(axes: readonly Axis[], cells: readonly Cell[]): Grid {
  const [first, second] = axes;
  return {
    columns: first?.values ?? [],
    rows: second?.values ?? [undefined],
    at: (column, row) => cells.find((c) => c.place[0] === column && (!second || c.place[1] === row)),
  };
}

/** The document with the values of a cell. */
export function withValues(document: Workflow, values: Readonly<Record<string, Json>>): Workflow {
  let changed = document;
  for (const [name, value] of Object.entries(values)) {
    const to = document.inputs?.[name]?.to ?? (name.includes(".") ? [name] : []);
    for (const target of to) changed = setValue(changed, end(target), value) as Workflow;
  }
  return changed;
}

/** A value as a label. */
export function shownValue(value: Json | undefined): string {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}
