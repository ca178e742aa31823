import { expect, it } from "vitest";
import { type Catalogue, catalogue } from "../src/core/catalogue";
import { readersOf, type Teacher, teacherOf, teaching, wordFor } from "../src/core/teaching";
import { picture, schemas, known as toys } from "./toy";

const Teach = {
  ...schemas.Prompt,
  title: "Teach",
  inputs: {
    properties: {
      model: { "x-type": "Model" },
      source: { "x-type": "str", type: "string", "x-choices": "words" },
      word: { "x-type": "str", type: "string", default: "<new>" },
    },
    required: ["model", "source"],
  },
  outputs: { model: { "x-type": "Model" } },
};
const known = catalogue({ ...schemas, Teach } as Parameters<typeof catalogue>[0]) as Catalogue;
const teacher = teacherOf(known) as Teacher;
const taught = (graph: typeof picture, source: string, word = wordFor(source)) =>
  teaching(graph, "prompt", source, word, picture, known, teacher, [0, 0]);

it("is found by its ports alone", () => {
  expect(teacherOf(toys)).toBeUndefined();
  expect(teacher).toMatchObject({ into: "model", out: "model", through: "Model", source: "source", word: "word" });
  expect(wordFor("embeddings/Easy Negative_v2.safetensors")).toBe("<easy-negative_v2>");
  expect(wordFor("()")).toBe("<word>");
});

it("puts a node before what reads the prompt, once for each file", () => {
  const { graph, word } = taught(picture, "a/fox.safetensors");
  expect(word).toBe("<fox>");
  expect(graph.nodes.prompt?.inputs?.model).toEqual({ $from: "teach.model" });
  expect(graph.nodes.sample).toBe(picture.nodes.sample);
  expect(graph.nodes.teach).toEqual({
    type: "Teach@1",
    inputs: { source: "a/fox.safetensors", word: "<fox>", model: { $from: "model.model" } },
  });
  expect(taught(graph as typeof picture, "a/fox.safetensors").graph).toBe(graph);
  const other = taught(graph as typeof picture, "b/fox.safetensors");
  expect(other.word).toBe("<fox-2>");
  expect(other.graph.nodes.teach_2?.inputs?.model).toEqual({ $from: "teach.model" });
});

it("goes to where the text goes, and shares a node that is there", () => {
  const nodes = {
    ...picture.nodes,
    text: { type: "Note@1", inputs: { text: "a fox" } },
    other: { type: "Prompt@1", inputs: { model: { $from: "model.model" }, text: { $from: "text.str" } } },
  };
  const graph = { ...picture, nodes };
  expect(readersOf(graph, "text", picture, known, teacher)).toEqual([{ node: "other", port: "model" }]);
  const first = taught(graph, "fox.safetensors").graph;
  const both = teaching(first, "text", "fox.safetensors", "<fox>", picture, known, teacher, [0, 0]).graph;
  expect(both.nodes.other?.inputs?.model).toEqual({ $from: "teach.model" });
  expect(both.nodes).not.toHaveProperty("teach_2");
});
