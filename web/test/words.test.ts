import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { evaluate, snapped } from "../src/core/arithmetic";
import { widget } from "../src/core/catalogue";
import { freeName, keptName } from "../src/core/document";
import { weighted } from "../src/core/emphasis";
import { search } from "../src/core/search";
import german from "../src/text/de.problems.json";
import { sayer } from "../src/text/saying";
import { known, schemas } from "./toy";

const find = (query: string) =>
  search(known.values(), query, (t) => [t.title, t.id, t.category, t.doc]).map((t) => t.title);

it("finds by pieces of words, in any order", () => {
  expect(find("enc pro")[0]).toBe("Encode prompt");
  expect(find("inv")[0]).toBe("Invert colours");
  expect(find("img save")).toEqual(["Save image"]);
  expect(find("zzz")).toEqual([]);
  expect(find("")).toHaveLength(Object.keys(schemas).length);
});

it.each([
  ["512*1.5", 768],
  ["2+3*4", 14],
  ["(2+3)*4", 20],
  ["-3", -3],
  ["10%4", 2],
  ["1,5", 1.5],
  ["1e2", 100],
  ["", null],
  ["1/0", null],
  ["2+", null],
  ["alert(1)", null],
  ["(2", null],
])("computes %s", (text, value) => expect(evaluate(text)).toBe(value));

it("snaps without the noise of binary fractions", () => {
  expect(snapped(0.1 + 0.2, 0.1, 0, 1, false)).toBe(0.3);
  expect(snapped(7.6, 1, 0, 100, true)).toBe(8);
  expect(snapped(-5, 1, 0, 100, true)).toBe(0);
});

it("weights the word at the caret, further, and back", () => {
  const once = weighted({ text: "a cat sat", from: 3, to: 3 }, true);
  expect(once.text).toBe("a (cat:1.1) sat");
  const twice = weighted(once, true);
  expect(twice.text).toBe("a (cat:1.2) sat");
  expect(weighted(weighted(twice, false), false).text).toBe("a cat sat");
});

it.each([
  ["a (red cat:1.1) sat", 5, 5, "a (red cat:1.2) sat"],
  ["a (red cat:1.1) sat", 2, 15, "a (red cat:1.2) sat"],
  ["a red cat sat", 2, 10, "a (red cat:1.1) sat"],
  ["a (cat:1.1) sat", 13, 13, "a (cat:1.1) (sat:1.1)"],
  [" ", 0, 1, " "],
])("weights the part of %j that %i to %i means", (text, from, to, made) =>
  expect(weighted({ text, from, to }, true).text).toBe(made),
);

it("makes names under which a server keeps workflows", () => {
  expect(keptName("My Café, 2nd")).toBe("my_cafe_2nd");
  expect(keptName("9")).toBe("9");
  expect(keptName("猫")).toMatch(/^workflow_[a-z0-9]+$/);
  expect(keptName("猫")).not.toBe(keptName("犬"));
});

it("makes names that the format takes", () => {
  expect(freeName("LoadModel", [])).toBe("load_model");
  expect(freeName("sample", ["sample", "sample_2"])).toBe("sample_3");
  expect(freeName("12 Äpfel!", [])).toBe("pfel");
  expect(freeName("???", [])).toBe("node");
});

it("has German words for the code of every problem", () => {
  const folder = new URL("../../nodegraph/", import.meta.url).pathname;
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".py"));
  const texts = sources.map((name) => readFileSync(`${folder}${name}`, "utf8"));
  const codes = texts.flatMap((text) => [...text.matchAll(/(?:Problem|self\.note)\(\s*"([a-z_]+)"/g)].map((m) => m[1]));
  expect(new Set(codes).size).toBeGreaterThan(30);
  expect(codes.filter((code) => !(String(code) in german.codes))).toEqual([]);
});

it("says problems in another language, with what they name", () => {
  const say = sayer(german.sentences);
  expect(say("needs Model, but load.vae gives Vae")).toEqual({
    text: "braucht Model, aber load.vae gibt Vae",
    whole: true,
  });
  expect(say("needs Model; link an output of type Model to it").text).toBe(
    "braucht Model; einen Ausgang vom Typ Model damit verbinden",
  );
  expect(say("input should be 'a' or 'b', but 'A' is given; did you mean 'a'?").text).toBe(
    "muss 'a' or 'b' sein, gegeben ist 'A'; war 'a' gemeint?",
  );
  expect(say("Foo is kept as a placeholder: films are not made here, only pictures")).toEqual({
    text: "Foo bleibt als Platzhalter stehen: hier entstehen keine Filme, nur Bilder",
    whole: true,
  });
  expect(say("x is a LoRA for SDXL, but the model is Flux.1; use one of its own (in source)").text).toBe(
    "x ist ein LoRA für SDXL, das Modell ist aber Flux.1; eines dafür nehmen (in source)",
  );
  expect(say("no such thing; choose one")).toEqual({ text: "no such thing; einen wählen", whole: false });
});

describe("a widget from a schema alone", () => {
  it.each([
    [
      { "x-type": "int", type: "integer", minimum: 1, maximum: 9 },
      { kind: "number", whole: true, min: 1, max: 9, step: 1 },
    ],
    [
      { "x-type": "float", type: "number", "x-widget": { kind: "slider", min: 1, max: 15, step: 0.5 }, maximum: 100 },
      { kind: "slider", whole: false, min: 1, max: 15, step: 0.5 },
    ],
    [{ "x-type": "bool", type: "boolean" }, { kind: "toggle" }],
    [
      { "x-type": "str", enum: ["a", "b"] },
      { kind: "choice", values: ["a", "b"], list: null },
    ],
    [
      { "x-type": "str", type: "string", "x-choices": "models" },
      { kind: "choice", values: [], list: "models" },
    ],
    [
      { "x-type": "Path", anyOf: [{ type: "string", format: "path" }, { type: "null" }], "x-widget": { kind: "mask" } },
      { kind: "file", holds: "mask", suffix: "" },
    ],
    [{ "x-type": "list[str]", type: "array", items: { type: "string" } }, { kind: "lines" }],
    [{ "x-type": "Image" }, null],
  ])("%j", (schema, made) => expect(widget(schema)).toEqual(made));
});
