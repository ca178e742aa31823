import { expect, it } from "vitest";
import { catalogue } from "../src/core/catalogue";
import type { Workflow } from "../src/core/document";
import { maskerOf, withMask } from "../src/core/masking";
import { picture, schemas } from "./toy";

const text = { type: "string", default: "" };
const port = (type: string) => ({ "x-type": type });
const known = catalogue({
  ...schemas,
  Mask: {
    ...schemas.Invert,
    title: "Mask",
    inputs: { properties: { file: { ...port("Path"), ...text, "x-widget": { kind: "mask" } } }, required: [] },
    outputs: { mask: port("Mask") },
  },
  Cut: {
    ...schemas.Invert,
    title: "Cut",
    inputs: { properties: { image: port("Image"), mask: port("Mask") }, required: ["image"] },
    outputs: { image: port("Image") },
  },
} as typeof schemas);

it("links a painted mask to what takes the picture and a mask, and paints on that one the next time", () => {
  const masker = maskerOf(known);
  if (!masker) throw new Error("there is a node that holds a mask");
  const from = { node: "decode", port: "image" };
  const cut = { type: "Cut@1", inputs: { image: { $from: "decode.image" } } };
  const before: Workflow = { ...picture, nodes: { ...picture.nodes, cut } };
  const once = withMask(before, from, "one.png", [0, 9], before, known, masker);
  expect(once.graph.nodes.cut?.inputs?.mask).toEqual({ $from: "mask.mask" });
  expect(once.graph.nodes.mask).toEqual({ type: "Mask@1", inputs: { file: "one.png" } });
  expect(once.graph.nodes.save).toBe(before.nodes.save);
  const again = withMask(once.graph, from, "two.png", [0, 9], before, known, masker);
  expect(again.id).toBe("mask");
  expect(Object.keys(again.graph.nodes)).toEqual(Object.keys(once.graph.nodes));
  expect(again.graph.nodes.mask?.inputs?.file).toBe("two.png");
});
