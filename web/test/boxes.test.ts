import { describe, expect, it } from "vitest";
import { between, proportions, readBoxes, within, writeBoxes } from "../src/core/boxes";
import { widget } from "../src/core/catalogue";
import { picture } from "./toy";

describe("boxes with prompts", () => {
  it("are read from lines and written as they were, with what is no box", () => {
    const text = "0 0 0.5 1: a cat: black\n.5 0 .5 1 2.5:a dog\nnonsense";
    const { boxes, rest } = readBoxes(text);
    expect(boxes).toEqual([
      { x: 0, y: 0, width: 0.5, height: 1, weight: 1, prompt: "a cat: black" },
      { x: 0.5, y: 0, width: 0.5, height: 1, weight: 2.5, prompt: "a dog" },
    ]);
    expect(writeBoxes(boxes, rest)).toBe("0 0 0.5 1: a cat: black\n0.5 0 0.5 1 2.5: a dog\nnonsense");
    expect(readBoxes("\n")).toEqual({ boxes: [], rest: [] });
  });

  it("stay within the picture, in hundredths, whichever corners are given", () => {
    expect(between(0.9, 0.7, 0.301, 1.4)).toEqual({ x: 0.3, y: 0.7, width: 0.6, height: 0.3 });
    expect(within({ x: 0.8, y: -0.2, width: 0.5, height: 0.001 })).toEqual({ x: 0.5, y: 0, width: 0.5, height: 0.02 });
    for (const { x, width } of [between(0.33, 0, 1.2, 1), within({ x: 0.71, y: 0, width: 0.29, height: 1 })]) {
      expect(x + width).toBeLessThanOrEqual(1.0001);
    }
  });

  it("have the proportions of the picture they are for", () => {
    const empty = { type: "Empty@1", inputs: { width: 200, height: 100 } };
    const graph = {
      nodes: {
        ...picture.nodes,
        empty,
        sample: { type: "Sample@1", inputs: { ...picture.nodes.sample?.inputs, latent: { $from: "empty.latent" } } },
      },
    };
    expect(proportions(graph, "prompt")).toBe(2);
    expect(proportions(picture, "prompt")).toBe(1);
  });

  it("are what a schema says", () => {
    expect(widget({ "x-type": "str", type: "string", "x-widget": { kind: "boxes" } })).toEqual({ kind: "boxes" });
  });
});
