import { expect, it } from "vitest";
import { byKey, isFree, keysOf, rebound, restored } from "../src/core/keys";

const run = { id: "run", keys: ["Mod+Enter"] };
const save = { id: "save", keys: ["Mod+s", "Mod+w"] };
const note = { id: "note", keys: [] };
const all = [run, save, note];

it("gives a key to a command, and takes it from the one that had it", () => {
  const custom = rebound(all, {}, "note", "Mod+s");
  expect(custom).toEqual({ note: ["Mod+s"], save: ["Mod+w"] });
  expect(byKey(all, custom).get("Mod+s")).toBe(note);
  expect(keysOf(run, custom)).toEqual(["Mod+Enter"]);
});

it("remembers nothing of a command that has its own keys again", () => {
  const custom = rebound(all, {}, "run", "F5");
  expect(rebound(all, custom, "run", "Mod+Enter")).toEqual({});
  expect(restored(all, rebound(all, {}, "note", "Mod+s"), "save")).toEqual({});
});

it("leaves the keys that walk and type alone", () => {
  expect(["ArrowUp", "Shift+ArrowUp", "Tab", "Escape", "Enter", "Space"].filter(isFree)).toEqual([]);
  expect(["Mod+Enter", "F5", "g", "Alt+x", "?"].every(isFree)).toBe(true);
});
