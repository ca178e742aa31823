/** Arithmetic typed into a number field: + - * / %, brackets, decimals. No `eval`. */

/** The value of an expression; null where it is none. */
export function evaluate(text: string): number | null {
  const tokens = text.replaceAll(",", ".").match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|[-+*/%()]|\S/gi) ?? [];
  let at = 0;
  const sum = (): number => {
    let value = product();
    while (tokens[at] === "+" || tokens[at] === "-")
      value = tokens[at++] === "+" ? value + product() : value - product();
    return value;
  };
  const product = (): number => {
    let value = factor();
    for (;;) {
      if (tokens[at] === "*") {
        at++;
        value *= factor();
      } else if (tokens[at] === "/") {
        at++;
        value /= factor();
      } else if (tokens[at] === "%") {
        at++;
        value %= factor();
      } else return value;
    }
  };
  const factor = (): number => {
    const token = tokens[at++];
    if (token === "-") return -factor();
    if (token === "+") return factor();
    if (token === "(") {
      const value = sum();
      return tokens[at++] === ")" ? value : Number.NaN;
    }
    return token !== undefined && /^[\d.]/.test(token) ? Number(token) : Number.NaN;
  };
  const value = sum();
  return at === tokens.length && Number.isFinite(value) ? value : null;
}

/** `value` on the grid of `step` counted from zero, within bounds, without the noise of binary fractions. */
export function snapped(value: number, step: number, min: number, max: number, whole: boolean): number {
  const bounded = Math.min(Math.max(value, min), max);
  if (whole) return Math.round(bounded);
  const digits = Math.max(0, Math.min(10, Math.ceil(-Math.log10(step)) + 2));
  return Number(bounded.toFixed(digits));
}
