import { createElement, Fragment } from "react";

/** A paragraph of a docstring, where what stands between backticks is code. */
export function Prose({ text }: { text: string }) {
  const pieces = text.split("`").map((piece, i) => (i % 2 ? createElement("code", null, piece) : piece));
  return createElement(Fragment, null, ...pieces);
}
