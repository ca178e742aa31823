import { expect, it } from "vitest";
import { difference, shortly } from "../src/core/compare";
import * as edits from "../src/core/edits";
import { known, picture } from "./toy";

it("tells what is new, gone and changed, and nothing of places", () => {
  const invert = known.get("Invert");
  if (!invert) throw new Error("no Invert");
  let after = edits.addNode(picture, invert, [0, 0]).graph;
  after = edits.removeNodes(after, ["save"]);
  after = edits.setValue(after, { node: "sample", port: "cfg" }, 3);
  after = edits.withMode(after, ["decode"], "mute");
  after = edits.place(after, { prompt: [900, 900] });
  const found = difference(picture, after);
  expect([found.added, found.removed]).toEqual([["invert"], ["save"]]);
  expect(found.changed).toEqual({
    sample: [{ port: "cfg", before: picture.nodes.sample?.inputs?.cfg, after: 3 }],
    decode: [{ port: "mode", before: undefined, after: "mute" }],
  });
  expect(difference(picture, JSON.parse(JSON.stringify(picture)))).toEqual({ added: [], removed: [], changed: {} });
});

it("says values shortly", () => {
  expect(shortly({ $from: "a.b" })).toBe("a.b");
  expect([shortly(undefined), shortly(2.5), shortly("x".repeat(90)).length]).toEqual(["–", "2.5", 60]);
});
