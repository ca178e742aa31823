import { describe, expect, it } from "vitest";
import type { Workflow } from "../src/core/document";
import { firstValues, grid, shownValue, sweepable, withValues } from "../src/core/sweeps";
import { known, picture } from "./toy";

const document: Workflow = {
  ...picture,
  inputs: { prompt: { to: ["prompt.text"], title: "Prompt" }, both: { to: ["sample.seed", "sample.steps"] } },
};

describe("sweeps", () => {
  const all = sweepable(document, known);
  const named = (name: string) => {
    const found = all.find((s) => s.name === name);
    if (!found) throw new Error(name);
    return found;
  };

  it("vary what holds a value, by its exposed name where it has one", () => {
    expect(all.map((s) => s.name)).toEqual(
      expect.arrayContaining(["prompt", "both", "sample.cfg", "sample.sampler", "model.source", "save.name"]),
    );
    expect(all.map((s) => s.name)).not.toContain("sample.steps");
    expect(all.map((s) => s.name)).not.toContain("sample.model");
    expect(named("prompt").label).toBe("Prompt (Encode prompt)");
    expect(named("sample.cfg").label).toBe("Sample: cfg");
  });

  it("begin with values around those of now", () => {
    expect(firstValues({ ...named("sample.cfg"), value: 8 })).toBe("6, 8, 10");
    expect(firstValues({ ...named("sample.cfg"), value: 15 })).toBe("11.25, 15");
    expect(firstValues({ ...named("both"), value: 7 })).toBe("7..10");
    expect(firstValues(named("sample.sampler"))).toBe("euler, heun");
    expect(firstValues({ ...named("prompt"), value: "a cat" })).toBe("a cat");
  });

  it("lie in columns and rows", () => {
    const axes = [
      { name: "sample.cfg", values: [4, 7] },
      { name: "prompt", values: ["a", "b", "c"] },
    ];
    const cells = [
      { place: [1, 2], inputs: { "sample.cfg": 7, prompt: "c" }, job: "x" },
      { place: [0, 0], inputs: { "sample.cfg": 4, prompt: "a" }, job: "y" },
    ];
    const made = grid(axes, cells);
    expect([made.columns.length, made.rows.length]).toEqual([2, 3]);
    expect(made.at(1, 2)?.job).toBe("x");
    expect(made.at(1, 1)).toBeUndefined();
    const one = grid([{ name: "prompt", values: ["a", "b"] }], [{ place: [1], inputs: { prompt: "b" }, job: "z" }]);
    expect([one.rows, one.at(1, 0)?.job]).toEqual([[undefined], "z"]);
  });

  it("give a document the values of a cell, at every port of an exposed input", () => {
    const made = withValues(document, { both: 3, "sample.cfg": 2 });
    expect(made.nodes.sample?.inputs).toMatchObject({ seed: 3, steps: 3, cfg: 2 });
    expect(made.nodes.prompt).toBe(document.nodes.prompt);
    expect([shownValue("a"), shownValue(true), shownValue(undefined)]).toEqual(["a", "true", ""]);
  });
});
