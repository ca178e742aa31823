/** The line of a link: leaves to the right, goes over its points, arrives from the left. */

import type { Point } from "./document";

/** A piece of a line: where it begins, what bends it, where it ends. */
export type Piece = readonly [Point, Point, Point, Point];

function controls(x1: number, x2: number): [number, number] {
  const by = x2 >= x1 ? Math.max(24, (x2 - x1) / 2) : Math.min(160, 40 + (x1 - x2) / 4);
  return [x1 + by, x2 - by];
}

export function pieces(from: Point, over: readonly Point[], to: Point): Piece[] {
  if (over.length === 0 && from[0] - to[0] > ASIDE) return around(from, to);
  if (over.length === 0) {
    const [a, b] = controls(from[0], to[0]);
    return [[from, [a, from[1]], [b, to[1]], to]];
  }
  const all = [from, ...over, to];
  return all.slice(1).map((end, i): Piece => {
    const begin = all[i] ?? from;
    const reach = Math.hypot(end[0] - begin[0], end[1] - begin[1]) / 3;
    const out = i === 0 ? RIGHT : heading(all[i - 1] ?? begin, end);
    const into = i === over.length ? RIGHT : heading(begin, all[i + 2] ?? end);
    return [
      begin,
      [begin[0] + out[0] * reach, begin[1] + out[1] * reach],
      [end[0] - into[0] * reach, end[1] - into[1] * reach],
      end,
    ];
  });
}

/** From here on a link back to the left goes around, in two bends, so that one sees where it leads. */
const ASIDE = 60;
const BEND = 56;
/** How far above its end it turns: between a node and the one below it. */
const ABOVE = 60;

function around(from: Point, to: Point): Piece[] {
  const level = to[1] - from[1] > 2 * ABOVE ? to[1] - ABOVE : (from[1] + to[1]) / 2;
  const middle: Point = [(from[0] + to[0]) / 2, level];
  const [right, left] = [from[0] + BEND, to[0] - BEND];
  return [
    [from, [right, from[1]], [right, level], middle],
    [middle, [left, level], [left, to[1]], to],
  ];
}

const RIGHT: Point = [1, 0];

/** The direction in which a line passes a point, from what comes before it to what comes after. */
function heading(before: Point, after: Point): Point {
  const length = Math.hypot(after[0] - before[0], after[1] - before[1]) || 1;
  return [(after[0] - before[0]) / length, (after[1] - before[1]) / length];
}

export function curve(from: Point, over: readonly Point[], to: Point): string {
  const [x, y] = from;
  return `M${x},${y}${pieces(from, over, to)
    .map(([, a, b, c]) => `C${a[0]},${a[1]} ${b[0]},${b[1]} ${c[0]},${c[1]}`)
    .join("")}`;
}

/** Points on the way, for finding what a link crosses; `count` for each piece. */
export function along(from: Point, over: readonly Point[], to: Point, count = 16): Point[] {
  const way = pieces(from, over, to).flatMap(([p, a, b, q]) =>
    Array.from({ length: count }, (_, i): Point => {
      const u = i / count;
      const v = 1 - u;
      const at = (n: 0 | 1) => v ** 3 * p[n] + 3 * v * v * u * a[n] + 3 * v * u * u * b[n] + u ** 3 * q[n];
      return [at(0), at(1)];
    }),
  );
  return [...way, to];
}

/** Between which points of a link a place on it lies. */
export function pieceAt(from: Point, over: readonly Point[], to: Point, at: Point): number {
  const way = along(from, over, to);
  let best = 0;
  let least = Infinity;
  way.forEach(([x, y], i) => {
    const far = Math.hypot(x - at[0], y - at[1]);
    if (far < least) [best, least] = [i, far];
  });
  return Math.min(over.length, Math.floor(best / 16));
}

/** Whether two lines, each through some points, cross. */
export function cross(a: readonly Point[], b: readonly Point[]): boolean {
  return pairs(a).some(([p, q]) =>
    pairs(b).some(([r, s]) => side(p, q, r) !== side(p, q, s) && side(r, s, p) !== side(r, s, q)),
  );
}

function pairs(line: readonly Point[]): [Point, Point][] {
  return line.slice(1).map((point, i) => [line[i] ?? point, point]);
}

function side(p: Point, q: Point, r: Point): boolean {
  return (q[0] - p[0]) * (r[1] - p[1]) > (q[1] - p[1]) * (r[0] - p[0]);
}
