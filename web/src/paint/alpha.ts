/** Changes to a mask as a whole: pure functions on its alpha, row by row. */

type Alpha = Uint8ClampedArray;

export function inverted(alpha: Alpha): Alpha {
  return alpha.map((a) => 255 - a);
}

/** Every pixel takes the most (`by` > 0) or the least (`by` < 0) of the square around it: the mask grows or shrinks. */
export function grown(alpha: Alpha, width: number, height: number, by: number): Alpha {
  const pick = by > 0 ? Math.max : Math.min;
  const reach = Math.abs(by);
  return down(across(alpha, width, height, reach, pick), width, height, reach, pick);
}

/** Three box blurs: near enough to a Gaussian of this radius. */
export function feathered(alpha: Alpha, width: number, height: number, radius: number): Alpha {
  let made = alpha;
  for (let i = 0; i < 3; i++) made = blurred(made, width, height, Math.max(1, Math.round(radius / 2)));
  return made;
}

type Pick = (a: number, b: number) => number;

function across(alpha: Alpha, width: number, height: number, reach: number, pick: Pick): Alpha {
  const made = new Uint8ClampedArray(alpha.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let value = alpha[y * width + x] ?? 0;
      for (let d = Math.max(0, x - reach); d <= Math.min(width - 1, x + reach); d++)
        value = pick(value, alpha[y * width + d] ?? 0);
      made[y * width + x] = value;
    }
  }
  return made;
}

function down(alpha: Alpha, width: number, height: number, reach: number, pick: Pick): Alpha {
  const made = new Uint8ClampedArray(alpha.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let value = alpha[y * width + x] ?? 0;
      for (let d = Math.max(0, y - reach); d <= Math.min(height - 1, y + reach); d++)
        value = pick(value, alpha[d * width + x] ?? 0);
      made[y * width + x] = value;
    }
  }
  return made;
}

function blurred(alpha: Alpha, width: number, height: number, radius: number): Alpha {
  const rows = new Float32Array(alpha.length);
  const made = new Uint8ClampedArray(alpha.length);
  const span = radius * 2 + 1;
  for (let y = 0; y < height; y++) {
    let sum = 0;
    const at = (x: number) => alpha[y * width + Math.min(width - 1, Math.max(0, x))] ?? 0;
    for (let x = -radius; x <= radius; x++) sum += at(x);
    for (let x = 0; x < width; x++) {
      rows[y * width + x] = sum / span;
      sum += at(x + radius + 1) - at(x - radius);
    }
  }
  for (let x = 0; x < width; x++) {
    let sum = 0;
    const at = (y: number) => rows[Math.min(height - 1, Math.max(0, y)) * width + x] ?? 0;
    for (let y = -radius; y <= radius; y++) sum += at(y);
    for (let y = 0; y < height; y++) {
      made[y * width + x] = sum / span;
      sum += at(y + radius + 1) - at(y - radius);
    }
  }
  return made;
}
