import { expect, it } from "vitest";
import { typeOf } from "../src/core/catalogue";
import { arranged, below, placed } from "../src/core/layout";
import { FIELD, HEADER, portTop, shapeOf } from "../src/core/sizes";
import { known, picture } from "./toy";

it("puts a node to the right of what feeds it, and overlaps none", async () => {
  const at = await arranged(picture, Object.keys(picture.nodes), () => ({ width: 250, height: 100 }));
  const x = (id: string) => at[id]?.[0] ?? Number.NaN;
  expect(x("model")).toBe(0);
  expect(x("prompt")).toBeGreaterThanOrEqual(250);
  expect(x("sample")).toBeGreaterThanOrEqual(x("prompt") + 250);
  expect(x("save")).toBeGreaterThan(x("decode"));
});

it("puts nodes that nothing tells apart in the order of the document", async () => {
  const prompt = picture.nodes.prompt ?? { type: "" };
  const sample = picture.nodes.sample ?? { type: "" };
  const graph = {
    nodes: {
      model: picture.nodes.model ?? { type: "" },
      first: prompt,
      second: prompt,
      third: prompt,
      sample: {
        ...sample,
        inputs: {
          a: { $from: "third.conditioning" },
          b: { $from: "first.conditioning" },
          c: { $from: "second.conditioning" },
        },
      },
    },
  };
  const at = await arranged(graph, Object.keys(graph.nodes), () => ({ width: 250, height: 100 }));
  const y = (id: string) => at[id]?.[1] ?? Number.NaN;
  expect(y("second")).toBeGreaterThan(y("first"));
  expect(y("third")).toBeGreaterThan(y("second"));
});

it("folds what only follows, and draws a column together that is higher than a screen", async () => {
  const fed = (...from: string[]) => ({
    type: "",
    inputs: Object.fromEntries(from.map((id) => [id, { $from: `${id}.out` }])),
  });
  const nodes = {
    a: fed(),
    b: fed(),
    c: fed("a"),
    d: fed("a"),
    e: fed("b"),
    f: fed("b"),
    g: fed("c", "d", "e", "f"),
    h: fed("g"),
  };
  const at = await arranged({ nodes }, Object.keys(nodes), () => ({ width: 250, height: 300 }), true);
  const [a, b, g, h] = [at.a ?? [], at.b ?? [], at.g ?? [], at.h ?? []];
  expect(Math.abs((b[1] ?? 0) - (a[1] ?? 0))).toBeLessThanOrEqual(356);
  expect(h[0]).toBe(g[0]);
  expect(h[1]).toBe((g[1] ?? 0) + 328);
});

it("moves only what it is asked to", async () => {
  expect(Object.keys(await arranged(picture, ["sample", "decode"], () => ({ width: 9, height: 9 })))).toEqual([
    "sample",
    "decode",
  ]);
});

it("puts a box below those that it would lie over or against, and no further", () => {
  const at = (x: number, y: number) => ({ x, y, width: 100, height: 100 });
  expect(below(at(0, 0), [at(50, 190), at(-40, 60), at(300, 0)]).y).toBe(318);
  expect(below(at(0, 0), [at(50, 400), at(0, -130)]).y).toBe(0);
});

it("gives a place to nodes without one", () => {
  const { layout: _, ...bare } = picture;
  const spots = Object.values(placed(bare).layout?.nodes ?? {}).map(String);
  expect(new Set(spots).size).toBe(Object.keys(picture.nodes).length);
  expect(placed(picture)).toBe(picture);
});

it("knows a node's size and ports without a screen", () => {
  const step = picture.nodes.sample ?? { type: "" };
  const shape = shapeOf(typeOf(step, picture, known), step, undefined, false);
  expect(shape.rows.map((r) => r.input?.name)).toEqual(["model", "positive", "seed", "steps", "cfg", "sampler"]);
  const seed = shape.rows[2];
  expect(seed && portTop(seed)).toBe(seed && seed.top + FIELD / 2);
  expect(shapeOf(typeOf(step, picture, known), step, { collapsed: true }, true).height).toBe(HEADER);
});
