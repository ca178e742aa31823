import { describe, expect, it } from "vitest";
import { tidy, type Workflow, wires } from "../src/core/document";
import * as edits from "../src/core/edits";
import { fits, known, picture } from "./toy";

const type = (name: string) => {
  const found = known.get(name);
  if (!found) throw new Error(name);
  return found;
};

describe("edits of a graph", () => {
  it("adds a node with every default, under a free readable id", () => {
    const { id, graph } = edits.addNode(picture, type("Sample"), [5, 6]);
    expect(id).toBe("sample_2");
    expect(graph.nodes.sample_2).toEqual({
      type: "Sample@1",
      inputs: { seed: 0, steps: 20, cfg: 7, sampler: "euler" },
    });
    expect(graph.layout?.nodes?.sample_2).toEqual([5, 6]);
    expect(graph.nodes.sample).toBe(picture.nodes.sample);
  });

  it("replaces the link of a single input and gathers those of a list", () => {
    const join = edits.addNode(picture, type("Join"), [0, 0]).graph;
    const image = { node: "decode", port: "image" };
    const one = edits.connect(join, image, { node: "join", port: "images" }, true);
    expect(one.nodes.join?.inputs?.images).toEqual([{ $from: "decode.image" }]);
    const inverted = edits.addNode(one, type("Invert"), [0, 0]).graph;
    const two = edits.connect(inverted, { node: "invert", port: "image" }, { node: "join", port: "images" }, true);
    expect(two.nodes.join?.inputs?.images).toEqual([{ $from: "decode.image" }, { $from: "invert.image" }]);
    expect(edits.connect(two, image, { node: "join", port: "images" }, true)).toBe(two);
    const saved = edits.connect(two, { node: "invert", port: "image" }, { node: "save", port: "image" }, false);
    expect(saved.nodes.save?.inputs?.image).toEqual({ $from: "invert.image" });
  });

  it("removes nodes with their links, exposed inputs, outputs and places", () => {
    const graph = edits.removeNodes(picture, ["prompt", "decode"]) as Workflow;
    expect(Object.keys(graph.nodes)).toEqual(["model", "sample", "save"]);
    expect(graph.nodes.sample?.inputs).not.toHaveProperty("positive");
    expect(graph.nodes.save?.inputs).toEqual({ name: "x" });
    expect(tidy(graph)).not.toHaveProperty("inputs");
    expect(tidy(graph)).not.toHaveProperty("outputs");
    expect(graph.layout?.nodes).not.toHaveProperty("prompt");
  });

  it("heals the link through a node it dissolves", () => {
    const added = edits.addNode(picture, type("Invert"), [0, 0]).graph;
    const [wire] = wires(added).filter((w) => w.target.node === "save");
    if (!wire) throw new Error("no link to the save node");
    const inside = edits.splice(added, "invert", wire, picture, known, fits);
    expect(inside?.nodes.invert?.inputs?.image).toEqual({ $from: "decode.image" });
    expect(inside?.nodes.save?.inputs?.image).toEqual({ $from: "invert.image" });
    const healed = inside && edits.dissolve(inside, ["invert"], picture, known, fits);
    expect(healed?.nodes).toEqual(picture.nodes);
  });

  it("bypasses and mutes, and lets run again what is all in that mode", () => {
    const one = edits.toggleMode(picture, ["sample"], "mute");
    expect(one.nodes.sample).toEqual({ ...picture.nodes.sample, mode: "mute" });
    expect(one.nodes.decode).toBe(picture.nodes.decode);
    const both = edits.toggleMode(one, ["sample", "decode"], "bypass");
    expect([both.nodes.sample?.mode, both.nodes.decode?.mode]).toEqual(["bypass", "bypass"]);
    expect(edits.toggleMode(both, ["sample", "decode"], "bypass").nodes).toEqual(picture.nodes);
  });

  it("splices nothing that does not fit or is linked already", () => {
    const added = edits.addNode(picture, type("Integer"), [0, 0]).graph;
    const [wire] = wires(added).filter((w) => w.target.node === "save");
    if (!wire) throw new Error("no link to the save node");
    expect(edits.splice(added, "integer", wire, picture, known, fits)).toBeNull();
    expect(edits.splice(added, "sample", wire, picture, known, fits)).toBeNull();
  });

  it("renames a node everywhere it is named", () => {
    const { graph } = edits.renameNode(picture, "decode", "To pixels");
    expect(graph.nodes.to_pixels).toEqual(picture.nodes.decode);
    expect(graph.nodes.save?.inputs?.image).toEqual({ $from: "to_pixels.image" });
    expect(graph.outputs).toEqual({ image: { $from: "to_pixels.image" } });
    expect(graph.layout?.nodes?.to_pixels).toEqual([900, 0]);
    expect(Object.keys(graph.nodes)).toEqual(["model", "prompt", "sample", "to_pixels", "save"]);
  });

  it("exposes an input under a free name and hides it again", () => {
    const shown = edits.expose(picture, { node: "sample", port: "seed" }, "Seed");
    expect(shown.inputs?.seed).toEqual({ to: ["sample.seed"], title: "Seed" });
    expect(edits.expose(shown, { node: "sample", port: "seed" }, "Again")).toBe(shown);
    expect(edits.hide(shown, { node: "sample", port: "seed" }).inputs).toEqual(picture.inputs);
  });

  it("finds what feeds a node", () => {
    expect([...edits.reachable(picture, ["prompt"], "up")].sort()).toEqual(["model", "prompt"]);
    expect([...edits.reachable(picture, ["prompt"], "down")].sort()).toEqual(["decode", "prompt", "sample", "save"]);
  });
});
