import { expect, it } from "vitest";
import { completed, completions, textsOf, vocabulary, wordBefore } from "../src/core/completion";
import { known, picture } from "./toy";

it("knows words by how often they were written, and taught ones in their brackets", () => {
  const words = vocabulary(["a cat, a Cat and <my-dog>", "the cat's hat", "Füchse"]);
  expect(words.slice(0, 1)).toEqual(["cat"]);
  expect(words).toEqual(expect.arrayContaining(["<my-dog>", "cat's", "füchse", "hat"]));
  expect(words).not.toContain("a");
  const begins = (start: string) =>
    completions(
      words.map((value) => ({ value })),
      start,
    ).map((w) => w.value);
  expect(begins("Ca")).toEqual(["cat", "cat's"]);
  expect(begins("<")).toEqual(["<my-dog>"]);
  for (const start of ["my", "do"]) expect(begins(start)).toEqual(["<my-dog>"]);
  expect(begins("cat's")).toEqual([]);
});

it("completes what stands before the caret, and leaves what follows", () => {
  expect(wordBefore("a red ca, big", 8)).toEqual({ from: 6, start: "ca" });
  expect(wordBefore("a ", 2)).toEqual({ from: 2, start: "" });
  expect(completed("a red ca, big", 8, "cat")).toEqual({ text: "a red cat, big", caret: 9 });
});

it("completes names of files of wildcards in braces alone", () => {
  expect(wordBefore("a {@deep/co", 11)).toEqual({ from: 2, start: "{@deep/co" });
  expect(wordBefore("a {@one.txt} co", 15)).toEqual({ from: 13, start: "co" });
  const files = [{ value: "{@deep/colours.txt}" }, { value: "{@animals.txt}" }];
  for (const start of ["{@deep/co", "co", "deep", "{@d"]) expect(completions(files, start)).toEqual([files[0]]);
  expect(completed("a {@deep/co", 11, "{@deep/colours.txt}").text).toBe("a {@deep/colours.txt}");
});

it("reads the texts of a document and of its definitions", () => {
  const inside = { nodes: { prompt: { type: "Prompt@1", inputs: { text: "within" } } } };
  const texts = textsOf({ ...picture, definitions: { inside } }, known);
  expect(texts).toContain("within");
  expect(texts).not.toContain("euler");
});
