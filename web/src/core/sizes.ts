/** The size of a node and where its ports are: functions of its type and look, so that nothing is measured on screen. */

import type { InputPort, NodeType, OutputPort, Widget } from "./catalogue";
import { type Look, linksOf, type Step, type Value } from "./document";

export const WIDTH = 256;
export const HEADER = 30;
const ROW = 24;
export const FIELD = 28;
const PREVIEW = 200;
const AREA = 84;
const FILE = 116;
const PAD = 8;
/** Nodes with more fields than this fold those that hold their defaults. */
const FEW = 8;

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Row {
  readonly input: InputPort | undefined;
  readonly output: OutputPort | undefined;
  readonly field: boolean;
  readonly top: number;
  readonly height: number;
}

export interface Shape {
  readonly width: number;
  readonly height: number;
  readonly rows: readonly Row[];
  /** How many fields are folded away. */
  readonly folded: number;
  /** Whether there is a line that folds or unfolds. */
  readonly folds: boolean;
  readonly foldTop: number;
  readonly previewTop: number;
}

export function shapeOf(type: NodeType, step: Step, look: Look | undefined, preview: boolean): Shape {
  const collapsed = look?.collapsed === true;
  const sockets = type.inputs.filter((i) => i.widget === null);
  const fields = type.inputs.filter((i) => i.widget !== null);
  const quiet = fields.filter((i) => isQuiet(i, step.inputs?.[i.name]));
  const folds = fields.length > FEW && quiet.length > 1;
  const shown = folds && look?.unfolded !== true ? foldedTo(fields, quiet) : fields;
  const rows: Row[] = [];
  let top = HEADER + 4;
  if (collapsed) {
    for (const input of type.inputs) rows.push({ input, output: undefined, field: false, top: 0, height: HEADER });
    for (const output of type.outputs) rows.push({ input: undefined, output, field: false, top: 0, height: HEADER });
    return { width: WIDTH, height: HEADER, rows, folded: 0, folds: false, foldTop: 0, previewTop: 0 };
  }
  for (let i = 0; i < Math.max(sockets.length, type.outputs.length); i++) {
    rows.push({ input: sockets[i], output: type.outputs[i], field: false, top, height: ROW });
    top += ROW;
  }
  for (const input of shown) {
    const linked = linksOf(step.inputs?.[input.name]).length > 0;
    const height = linked ? FIELD : fieldHeight(input.widget);
    rows.push({ input, output: undefined, field: true, top, height });
    top += height;
  }
  const hidden = fields.filter((i) => !shown.includes(i));
  const foldTop = top;
  if (folds) top += ROW;
  for (const input of hidden) rows.push({ input, output: undefined, field: false, top: foldTop, height: ROW });
  const previewTop = top + 4;
  if (preview) top += PREVIEW + 4;
  return { width: WIDTH, height: top + PAD, rows, folded: hidden.length, folds, foldTop, previewTop };
}

/** Whether a field holds its default, so that folding it away hides nothing that matters. */
function isQuiet(input: InputPort, value: Value | undefined): boolean {
  if (input.required) return false;
  return value === undefined || value === input.default;
}

function foldedTo(fields: readonly InputPort[], quiet: readonly InputPort[]): InputPort[] {
  const first = new Set(fields.slice(0, FEW - 3));
  const hidden = new Set(quiet.filter((i) => !first.has(i)));
  return fields.filter((i) => !hidden.has(i));
}

function fieldHeight(widget: Widget | null): number {
  if (widget === null) return ROW;
  if (widget.kind === "textarea" || widget.kind === "lines" || widget.kind === "boxes") return AREA;
  if (widget.kind === "file") return widget.holds === "file" ? FIELD : FILE;
  return FIELD;
}

/** The middle of a row: where its port is. */
export function portTop(row: Row): number {
  return row.field ? row.top + FIELD / 2 : row.top + row.height / 2;
}
