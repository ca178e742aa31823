import { expect, it } from "vitest";
import { copy, paste } from "../src/core/clipboard";
import { picture } from "./toy";

const only = (...nodes: string[]) => ({ nodes, notes: [], groups: [] });

it("pastes copies under new ids, linked among themselves", () => {
  const text = copy(picture, picture, only("sample", "decode"));
  const pasted = paste(picture, picture, text, [10, 20], false);
  expect(pasted?.ids).toEqual(["sample_2", "decode_2"]);
  expect(pasted?.graph.nodes.decode_2?.inputs).toEqual({ latent: { $from: "sample_2.latent" } });
  expect(pasted?.graph.nodes.sample_2?.inputs).not.toHaveProperty("model");
  expect(pasted?.graph.layout?.nodes).toMatchObject({ sample_2: [10, 20], decode_2: [310, 20] });
});

it("keeps the links from outside when asked", () => {
  const pasted = paste(picture, picture, copy(picture, picture, only("decode")), [0, 0], true);
  expect(pasted?.graph.nodes.decode_2?.inputs).toEqual(picture.nodes.decode?.inputs);
});

it("leaves other text alone", () => {
  expect(paste(picture, picture, "a cat on a mat", [0, 0], false)).toBeNull();
  expect(paste(picture, picture, '{"nodes": {}}', [0, 0], false)).toBeNull();
});

it("brings the definitions that the copied nodes use", () => {
  const definition = { nodes: { invert: { type: "Invert@1" } }, outputs: { image: { $from: "invert.image" } } };
  const source = { ...picture, nodes: { box: { type: "#negative" } }, definitions: { negative: definition } };
  const text = copy(source, source, only("box"));
  expect(paste(picture, picture, text, [0, 0], false)?.document.definitions).toEqual({ negative: definition });
  const other = { ...picture, definitions: { negative: { nodes: {} } } };
  const pasted = paste(other, other, text, [0, 0], false);
  expect(pasted?.graph.nodes.box?.type).toBe("#negative_2");
  expect(Object.keys(pasted?.document.definitions ?? {})).toEqual(["negative", "negative_2"]);
});

it("brings notes and frames with their sizes and colours, where they were to the nodes", () => {
  const source = {
    ...picture,
    layout: {
      ...picture.layout,
      notes: [{ id: "note", text: "mind", at: [320, 300], size: [300, 90], colour: "teal" }],
      groups: [{ id: "group", title: "Prompts", at: [280, -40], size: [600, 500], colour: "pink" }],
    },
  } as const;
  const chosen = { nodes: ["prompt"], notes: ["note"], groups: ["group"] };
  const pasted = paste(source, source, copy(source, source, chosen), [1000, 1000], false);
  expect(pasted?.graph.layout?.notes?.at(-1)).toEqual({
    id: "note_2",
    text: "mind",
    at: [1040, 1340],
    size: [300, 90],
    colour: "teal",
  });
  expect(pasted?.graph.layout?.groups?.at(-1)).toMatchObject({ id: "group_2", at: [1000, 1000], colour: "pink" });
  expect(pasted?.graph.layout?.nodes?.prompt_2).toEqual([1020, 1040]);
});
