/** A small catalogue and document for the tests, in the shapes that the server sends. */

import { type Catalogue, catalogue, type NodeSchema, type Schema } from "../src/core/catalogue";
import type { Workflow } from "../src/core/document";
import type { Fits } from "../src/core/fit";

function schema(
  title: string,
  inputs: Record<string, Schema>,
  outputs: Record<string, string>,
  more: Partial<NodeSchema> = {},
): NodeSchema {
  const required = Object.entries(inputs).flatMap(([name, input]) => (input.default === undefined ? [name] : []));
  return {
    version: 1,
    title,
    description: `${title} something.`,
    category: "toys",
    lane: "cpu",
    pure: true,
    inputs: { properties: inputs, required },
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, type]) => [name, { "x-type": type }])),
    ...more,
  };
}

export const schemas: Record<string, NodeSchema> = {
  Load: schema(
    "Load model",
    { source: { "x-type": "str", type: "string", "x-choices": "models", default: "demo" } },
    { model: "Model", vae: "Vae" },
  ),
  Prompt: schema(
    "Encode prompt",
    {
      model: { "x-type": "Model" },
      text: { "x-type": "str", type: "string", "x-widget": { kind: "textarea" }, default: "" },
    },
    { conditioning: "Conditioning" },
  ),
  Sample: schema(
    "Sample",
    {
      model: { "x-type": "Model" },
      positive: { "x-type": "Conditioning" },
      seed: { "x-type": "int", type: "integer", minimum: 0, default: 0, "x-widget": { kind: "seed" } },
      steps: { "x-type": "int", type: "integer", minimum: 1, maximum: 100, default: 20 },
      cfg: {
        "x-type": "float",
        type: "number",
        minimum: 0,
        maximum: 100,
        default: 7,
        "x-widget": { kind: "slider", min: 1, max: 15, step: 0.5 },
      },
      sampler: { "x-type": "str", type: "string", enum: ["euler", "heun"], default: "euler" },
    },
    { latent: "Latent" },
  ),
  Decode: schema("Decode", { vae: { "x-type": "Vae" }, latent: { "x-type": "Latent" } }, { image: "Image" }),
  Invert: schema("Invert colours", { image: { "x-type": "Image" } }, { image: "Image" }),
  Join: schema("Join images", { images: { "x-type": "list[Image]" } }, { image: "Image" }),
  Save: schema(
    "Save image",
    { image: { "x-type": "Image" }, name: { "x-type": "str", type: "string", default: "x" } },
    {},
    { pure: false },
  ),
  Integer: schema("Integer", { value: { "x-type": "int", type: "integer", default: 0 } }, { int: "int" }),
  Switch: schema(
    "Switch",
    { on: { "x-type": "bool", type: "boolean", default: true }, yes: { "x-type": "T" }, no: { "x-type": "T" } },
    { value: "T" },
  ),
};

export const known: Catalogue = catalogue(schemas);

const same = { how: "same", mapped: false, lifted: false };
export const fits: Fits = {
  Model: { Model: same },
  Conditioning: { Conditioning: same },
  Latent: { Latent: same },
  Vae: { Vae: same },
  Image: { Image: same, "list[Image]": { ...same, lifted: true } },
  Mask: { Image: { how: "mask_to_image", mapped: false, lifted: false } },
  int: { int: same, float: { how: "int_to_float", mapped: false, lifted: false } },
};

export const picture: Workflow = {
  format: "nodegraph/1",
  name: "A picture",
  nodes: {
    model: { type: "Load@1", inputs: { source: "demo" } },
    prompt: { type: "Prompt@1", inputs: { model: { $from: "model.model" }, text: "a cat" } },
    sample: {
      type: "Sample@1",
      inputs: {
        model: { $from: "model.model" },
        positive: { $from: "prompt.conditioning" },
        seed: 1,
        steps: 20,
        cfg: 4,
        sampler: "euler",
      },
    },
    decode: { type: "Decode@1", inputs: { vae: { $from: "model.vae" }, latent: { $from: "sample.latent" } } },
    save: { type: "Save@1", inputs: { image: { $from: "decode.image" }, name: "x" } },
  },
  inputs: { prompt: { to: ["prompt.text"], title: "Prompt" } },
  outputs: { image: { $from: "decode.image" } },
  layout: { nodes: { model: [0, 0], prompt: [300, 0], sample: [600, 0], decode: [900, 0], save: [1200, 0] } },
};
