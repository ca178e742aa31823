import { expect, it } from "vitest";
import { typeOf } from "../src/core/catalogue";
import { graphAt, type Workflow } from "../src/core/document";
import { gather, inner, unfold } from "../src/core/subgraphs";
import { known, picture } from "./toy";

const made = () => {
  const gathered = gather(picture, [], ["prompt", "sample", "decode"], "Render");
  if (!gathered) throw new Error("not gathered");
  return gathered;
};

it("turns crossing links into sockets, and keeps what was exposed", () => {
  const { id, document } = made();
  expect(id).toBe("render");
  expect(document.nodes.render).toEqual({
    type: "#render",
    inputs: { model: { $from: "model.model" }, vae: { $from: "model.vae" }, prompt: "a cat" },
  });
  expect(document.nodes.save?.inputs?.image).toEqual({ $from: "render.image" });
  expect(document.inputs).toEqual({ prompt: { to: ["render.prompt"], title: "Prompt" } });
  expect(document.outputs).toEqual({ image: { $from: "render.image" } });
  const definition = graphAt(document, ["render"]);
  expect(definition.inputs?.model).toEqual({ to: ["prompt.model", "sample.model"] });
  expect(definition.outputs).toEqual({ image: { $from: "decode.image" } });
});

it("draws an instance from its definition", () => {
  const { document } = made();
  const type = typeOf(document.nodes.render ?? { type: "" }, document, known);
  expect(type.inputs.map((i) => [i.name, i.type, i.title])).toEqual([
    ["model", "Model", "model"],
    ["vae", "Vae", "vae"],
    ["prompt", "str", "Prompt"],
  ]);
  expect(type.outputs).toMatchObject([{ name: "image", type: "Image" }]);
  expect(inner(document, document.nodes.render ?? { type: "" }, "render", known)).toEqual([
    "render/prompt",
    "render/sample",
    "render/decode",
  ]);
});

it("unfolds into what it was", () => {
  const { id, document } = made();
  const opened = unfold(document, [], id);
  expect(opened?.document.nodes).toEqual(picture.nodes);
  expect(opened?.document.inputs).toEqual(picture.inputs);
  expect(opened?.document.outputs).toEqual(picture.outputs);
  expect(opened?.document.definitions).toEqual({});
});

it("keeps a definition that another instance still uses", () => {
  const { id, document } = made();
  const two: Workflow = { ...document, nodes: { ...document.nodes, again: { type: "#render" } } };
  expect(Object.keys(unfold(two, [], id)?.document.definitions ?? {})).toEqual(["render"]);
});
