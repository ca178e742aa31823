/** The line of a link: leaves to the right, arrives from the left. */
export function curve(x1: number, y1: number, x2: number, y2: number): string {
  const [a, b] = controls(x1, x2);
  return `M${x1},${y1}C${a},${y1} ${b},${y2} ${x2},${y2}`;
}

export function controls(x1: number, x2: number): [number, number] {
  const by = x2 >= x1 ? Math.max(24, (x2 - x1) / 2) : Math.min(160, 40 + (x1 - x2) / 4);
  return [x1 + by, x2 - by];
}

/** Points on the way, for finding what a link crosses. */
export function along(x1: number, y1: number, x2: number, y2: number, count = 16): [number, number][] {
  const [a, b] = controls(x1, x2);
  return Array.from({ length: count + 1 }, (_, i) => {
    const u = i / count;
    const v = 1 - u;
    const x = v ** 3 * x1 + 3 * v * v * u * a + 3 * v * u * u * b + u ** 3 * x2;
    const y = v ** 3 * y1 + 3 * v * v * u * y1 + 3 * v * u * u * y2 + u ** 3 * y2;
    return [x, y];
  });
}
