/** Boxes with prompts, as a text that holds one in a line: `left top width height weight: prompt`, in shares of the whole. */

import type { Graph } from "./document";
import { reachable } from "./edits";

export interface PromptBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly weight: number;
  readonly prompt: string;
}

const NUMBER = "(\\d+(?:\\.\\d*)?|\\.\\d+)";
const LINE = new RegExp(`^\\s*${NUMBER}\\s+${NUMBER}\\s+${NUMBER}\\s+${NUMBER}(?:\\s+${NUMBER})?\\s*:(.*)$`);
/** The least width and height. */
export const LEAST = 0.02;

/** The boxes of a text, and its lines that are none: they are kept, for their writer to mend. */
export function readBoxes(text: string): { boxes: PromptBox[]; rest: string[] } {
  const boxes: PromptBox[] = [];
  const rest: string[] = [];
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    const [x, y, width, height] = (found?.slice(1, 5) ?? []).map(Number);
    if (found && x !== undefined && y !== undefined && width !== undefined && height !== undefined) {
      boxes.push({ x, y, width, height, weight: Number(found[5] ?? 1), prompt: (found[6] ?? "").trim() });
    } else if (line.trim() !== "") rest.push(line);
  }
  return { boxes, rest };
}

export function writeBoxes(boxes: readonly PromptBox[], rest: readonly string[] = []): string {
  const lines = boxes.map(({ x, y, width, height, weight, prompt }) => {
    const numbers = [x, y, width, height, ...(weight === 1 ? [] : [weight])].map(short).join(" ");
    return `${numbers}: ${prompt.replaceAll(/\s+/g, " ").trim()}`;
  });
  return [...lines, ...rest].join("\n");
}

function short(value: number): string {
  return String(Number(value.toFixed(3)));
}

/** A box within the whole, in hundredths. */
export function within<B extends Pick<PromptBox, "x" | "y" | "width" | "height">>(box: B): B {
  const width = clamp(round(box.width), LEAST, 1);
  const height = clamp(round(box.height), LEAST, 1);
  return { ...box, width, height, x: clamp(round(box.x), 0, 1 - width), y: clamp(round(box.y), 0, 1 - height) };
}

/** The box between two corners. */
export function between(x1: number, y1: number, x2: number, y2: number) {
  const [left, right] = [clamp(Math.min(x1, x2), 0, 1), clamp(Math.max(x1, x2), 0, 1)];
  const [top, bottom] = [clamp(Math.min(y1, y2), 0, 1), clamp(Math.max(y1, y2), 0, 1)];
  return within({ x: left, y: top, width: right - left, height: bottom - top });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function clamp(value: number, least: number, most: number): number {
  return round(Math.min(most, Math.max(least, value)));
}

/** Width by height of the picture that a node takes part in: of a node with both, which feeds what this one feeds. */
export function proportions(graph: Graph, node: string): number {
  const around = reachable(graph, reachable(graph, [node], "down"), "up");
  for (const id of around) {
    const { width, height } = graph.nodes[id]?.inputs ?? {};
    if (typeof width === "number" && typeof height === "number" && width > 0 && height > 0) return width / height;
  }
  return 1;
}
