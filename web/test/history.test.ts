import { expect, it } from "vitest";
import { withGraph } from "../src/core/document";
import { setValue } from "../src/core/edits";
import { amend, did, history, redo, undo } from "../src/core/history";
import { picture } from "./toy";

const text = (value: string) => withGraph(picture, [], setValue(picture, { node: "prompt", port: "text" }, value));

it("returns the same document after as many undos as there were steps, and again after redos", () => {
  let now = history(picture);
  for (let i = 0; i < 20; i++) now = did(now, text(`cat ${i}`), "text", i * 5000);
  const last = now.present;
  for (let i = 0; i < 20; i++) now = undo(now);
  expect(now.present).toBe(picture);
  expect(undo(now)).toBe(now);
  for (let i = 0; i < 20; i++) now = redo(now);
  expect(now.present).toBe(last);
});

it("takes typing as one step, until a pause or another field", () => {
  let now = history(picture);
  for (const [i, value] of ["a", "ab", "abc"].entries()) now = did(now, text(value), "text", i * 100, "prompt.text");
  expect(now.past).toHaveLength(1);
  now = did(now, text("later"), "text", 5000, "prompt.text");
  expect(now.past).toHaveLength(2);
  now = did(now, text("other"), "text", 5100, "sample.seed");
  expect(now.past).toHaveLength(3);
});

it("does not go on with a step that was undone", () => {
  let now = did(history(picture), text("a"), "text", 0, "k");
  now = did(undo(now), text("b"), "text", 10, "k");
  expect(undo(now).present).toBe(picture);
  expect(now.future).toEqual([]);
});

it("keeps what is amended out of the steps", () => {
  const now = amend(did(history(picture), text("a"), "text", 0), text("b"));
  expect(now.present.nodes.prompt?.inputs?.text).toBe("b");
  expect(undo(now).present).toBe(picture);
});
