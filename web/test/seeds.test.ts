import { expect, it } from "vitest";
import { catalogue } from "../src/core/catalogue";
import type { Workflow } from "../src/core/document";
import { reseeded } from "../src/core/seeds";

const known = catalogue({
  Draw: {
    version: 1,
    title: "Draw",
    description: "",
    category: "",
    lane: "",
    pure: true,
    inputs: {
      properties: {
        seed: { "x-type": "int", type: "integer", "x-widget": { kind: "seed" } },
        count: { "x-type": "int" },
      },
      required: [],
    },
    outputs: {},
  },
});
const draw = { type: "Draw@1", inputs: { seed: 7, count: 7 } };
const graph = {
  nodes: { fixed: draw, random: draw, next: draw },
  layout: { looks: { random: { seed: "random" }, next: { seed: "next" } } },
} as const;
const document = { format: "nodegraph/1", ...graph, definitions: { inner: graph } } as Workflow;

it.each(["random", "next"] as const)(
  "changes the seeds that are %s, inside subgraphs too, and nothing else",
  (mode) => {
    const after = reseeded(document, mode, known);
    for (const [before, now] of [
      [document, after],
      [document.definitions?.inner, after.definitions?.inner],
    ]) {
      const changed = Object.keys(before?.nodes ?? {}).filter((id) => before?.nodes[id] !== now?.nodes[id]);
      expect(changed).toEqual([mode]);
      expect(now?.nodes[mode]?.inputs?.count).toBe(7);
      expect(now?.nodes.next?.inputs?.seed).toBe(mode === "next" ? 8 : 7);
    }
  },
);
