import { expect, it } from "vitest";
import { gathered, NO_RUNS, progress, type Runs, saidOnTheWay, spans, told, withJob } from "../src/core/runs";

const hear = (...events: [string, Record<string, unknown>][]): Runs =>
  events.reduce((runs, [type, data]) => told(runs, { type, data: { job: "j", ...data } }, 1000), NO_RUNS);

it("follows a node from its start to its result", () => {
  let runs = hear(["job", { state: "running" }], ["Started", { node: "sample" }]);
  expect(runs.jobs.j?.nodes.sample).toEqual({ state: "running", since: 1000 });
  runs = told(
    runs,
    { type: "Progress", data: { job: "j", node: "sample", step: 3, total: 20, preview: "data:x" } },
    2000,
  );
  runs = told(runs, { type: "Progress", data: { job: "j", node: "sample", step: 4, total: 20 } }, 2100);
  expect(runs.jobs.j?.nodes.sample).toMatchObject({ step: 4, total: 20, preview: "data:x", since: 1000 });
  runs = told(runs, { type: "Finished", data: { job: "j", node: "sample", seconds: 2.5 } }, 3000);
  expect(runs.jobs.j?.nodes.sample).toMatchObject({ state: "done", seconds: 2.5, preview: "data:x" });
  runs = told(runs, { type: "Saved", data: { job: "j", node: "save", path: "x.png", result: "r1" } }, 3000);
  expect(runs.jobs.j?.results).toEqual(["r1"]);
  expect(runs.jobs.j?.nodes.save?.results).toEqual(["r1"]);
});

it("changes one node's record and leaves the others the same objects", () => {
  const before = hear(["job", { state: "running" }], ["Cached", { node: "model" }], ["Started", { node: "sample" }]);
  const after = told(before, { type: "Progress", data: { job: "j", node: "sample", step: 1, total: 2 } }, 0);
  expect(after.jobs.j?.nodes.model).toBe(before.jobs.j?.nodes.model);
});

it("catches up from a job's record, and settles one that ended", () => {
  const runs = withJob(NO_RUNS, {
    id: "j",
    state: "failed",
    error: "no",
    results: ["r"],
    nodes: {
      a: { state: "finished", seconds: 1, error: null },
      b: { state: "started" },
      c: { state: "failed", error: "no", port: "x" },
    },
  });
  expect(runs.jobs.j?.nodes).toEqual({
    a: { state: "done", seconds: 1 },
    b: { state: "skipped" },
    c: { state: "failed", error: "no", port: "x" },
  });
});

it("lays the nodes of a run along its time; a quick one stands behind the one before it", () => {
  const nodes = {
    model: { state: "cached" },
    sample: { state: "done", seconds: 6, ended: 1008 },
    quick: { state: "done", seconds: 0 },
    prompt: { state: "done", seconds: 2, ended: 1002 },
    save: { state: "done", seconds: 2, ended: 1010 },
  };
  const job = withJob(NO_RUNS, { id: "j", state: "done", started: 1000, nodes }).jobs.j;
  expect(job && spans(job).map(({ id, from, part }) => [id, from, part])).toEqual([
    ["model", 0, 0],
    ["prompt", 0, 0.2],
    ["sample", 0.2, 0.6],
    ["quick", 0.8, 0],
    ["save", 0.8, 0.2],
  ]);
});

it("ignores what it knows no job of, and hears of pauses", () => {
  expect(hear(["Started", { node: "a" }])).toBe(NO_RUNS);
  expect(told(NO_RUNS, { type: "queue", data: { what: "paused" } }, 0).paused).toBe(true);
});

it("sums up the insides of a subgraph and of a job", () => {
  const runs = hear(
    ["job", { state: "running" }],
    ["Finished", { node: "r/a", seconds: 1 }],
    ["Started", { node: "r/b" }],
    ["Progress", { node: "r/b", step: 1, total: 2 }],
  );
  expect(gathered(runs.jobs.j, ["r/a", "r/b"])).toMatchObject({ state: "running", step: 1 });
  expect(runs.jobs.j && progress(runs.jobs.j, 3)).toBeCloseTo(0.5);
});

it("hears what the server's own nodes say of what leaves", () => {
  const runs = hear(
    ["job", { state: "running" }],
    ["Warned", { node: "sample", message: "mine" }],
    ["Warned", { node: "checked_decode", message: "may be unfit" }],
  );
  expect(saidOnTheWay(runs.jobs.j, (name) => name === "sample")).toEqual(["may be unfit"]);
  expect(saidOnTheWay(undefined, () => true)).toEqual([]);
});
