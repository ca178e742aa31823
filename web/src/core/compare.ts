/** How a graph differs from another of its versions: its nodes by id, and their values. Layout plays no part. */

import { type Graph, linksOf, type Step, type Value } from "./document";

export interface Differs {
  readonly port: string;
  readonly before: Value | undefined;
  readonly after: Value | undefined;
}

export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: Readonly<Record<string, readonly Differs[]>>;
}

export function difference(before: Graph, after: Graph): Difference {
  const changed: Record<string, readonly Differs[]> = {};
  for (const [id, step] of Object.entries(after.nodes)) {
    const old = before.nodes[id];
    const differs = old && old !== step ? differing(old, step) : [];
    if (differs.length > 0) changed[id] = differs;
  }
  return {
    added: Object.keys(after.nodes).filter((id) => !(id in before.nodes)),
    removed: Object.keys(before.nodes).filter((id) => !(id in after.nodes)),
    changed,
  };
}

function differing(before: Step, after: Step): Differs[] {
  const ports = new Set([...Object.keys(before.inputs ?? {}), ...Object.keys(after.inputs ?? {})]);
  const values = [...ports].map((port) => ({ port, before: before.inputs?.[port], after: after.inputs?.[port] }));
  return [
    { port: "type", before: before.type, after: after.type },
    { port: "mode", before: before.mode, after: after.mode },
    ...values,
  ].filter((d) => !same(d.before, d.after));
}

function same(a: Value | undefined, b: Value | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

const LONG = 60;

/** A value in a few words: where a link comes from, or what is written. */
export function shortly(value: Value | undefined): string {
  const links = linksOf(value);
  if (links.length > 0) return links.map((l) => l.$from).join(", ");
  const text = typeof value === "string" ? value : value === undefined ? "–" : JSON.stringify(value);
  return text.length > LONG ? `${text.slice(0, LONG - 1)}…` : text;
}
