/** Where a dragged node is held by the edges of others, and the lines that show it. */

import type { Point } from "./document";
import type { Box } from "./sizes";

export interface Guide {
  /** 0 for a vertical line at an x, 1 for a horizontal one at a y. */
  readonly axis: 0 | 1;
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/** How far to move `box` so that an edge of it is in line with the same edge of another that is within `reach`. */
export function snapped(box: Box, others: Iterable<Box>, reach: number): { by: Point; guides: Guide[] } {
  const all = [...others];
  const [x, y] = [nearest(box, all, 0, reach), nearest(box, all, 1, reach)];
  const guides = [x, y].flatMap((found, axis): Guide[] => {
    if (!found) return [];
    const [a, b] = [span(box, axis === 0 ? 1 : 0), span(found.other, axis === 0 ? 1 : 0)];
    return [{ axis: axis === 0 ? 0 : 1, at: found.at, from: Math.min(a[0], b[0]), to: Math.max(a[1], b[1]) }];
  });
  return { by: [x?.by ?? 0, y?.by ?? 0], guides };
}

function nearest(box: Box, others: readonly Box[], axis: 0 | 1, reach: number) {
  let best: { by: number; at: number; other: Box; far: number } | undefined;
  const own = span(box, axis);
  const aside = span(box, axis === 0 ? 1 : 0);
  for (const other of others) {
    const theirs = span(other, axis);
    const beside = span(other, axis === 0 ? 1 : 0);
    const away = Math.max(0, beside[0] - aside[1], aside[0] - beside[1]);
    for (const edge of [0, 1] as const) {
      const by = theirs[edge] - own[edge];
      if (Math.abs(by) > reach) continue;
      const far = Math.abs(by) * 1000 + away; // of lines at the same place, that to the nearest node
      if (!best || far < best.far) best = { by, at: theirs[edge], other, far };
    }
  }
  return best;
}

function span(box: Box, axis: 0 | 1): readonly [number, number] {
  return axis === 0 ? [box.x, box.x + box.width] : [box.y, box.y + box.height];
}
