/** What is known of runs, from the server's job records and from its events. */

export type JobState = "pending" | "running" | "done" | "failed" | "cancelled";
export type NodeState = "waiting" | "running" | "done" | "cached" | "failed" | "skipped";

export interface NodeRun {
  readonly state: NodeState;
  readonly step?: number;
  readonly total?: number;
  readonly what?: string;
  readonly preview?: string;
  readonly seconds?: number;
  /** When it was done, in seconds since 1970; of quick nodes it is not told. */
  readonly ended?: number;
  readonly tier?: string;
  readonly error?: string;
  readonly port?: string | null;
  readonly results?: readonly string[];
  readonly warnings?: readonly string[];
  /** When the step count of now began, by the clock of this page: what the time left is reckoned from. */
  readonly since?: number;
}

export interface Job {
  readonly id: string;
  readonly state: JobState;
  readonly name: string;
  readonly priority: number;
  readonly client: string | null;
  readonly created: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly error: string | null;
  /** The values that it was given apart from its document, as the runs of a sweep are. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly nodes: Readonly<Record<string, NodeRun>>;
  readonly results: readonly string[];
}

export interface Runs {
  readonly jobs: Readonly<Record<string, Job>>;
  readonly paused: boolean;
}

export const NO_RUNS: Runs = { jobs: {}, paused: false };

/** An event of `/api/events`: its type, and its data. */
export interface Told {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export function ended(job: Job): boolean {
  return job.state === "done" || job.state === "failed" || job.state === "cancelled";
}

/** What nodes say that a run has and its document has not: those that the server puts before what leaves it. */
export function saidOnTheWay(job: Job | undefined, known: (name: string) => boolean): string[] {
  return Object.entries(job?.nodes ?? {}).flatMap(([name, run]) => (known(name) ? [] : (run.warnings ?? [])));
}

/** A job as the server sends it; what events said of its nodes meanwhile stays. */
export function withJob(runs: Runs, raw: Readonly<Record<string, unknown>>): Runs {
  const id = String(raw.id ?? raw.job);
  const old = runs.jobs[id];
  const nodes: Record<string, NodeRun> = { ...old?.nodes };
  for (const [node, told] of Object.entries((raw.nodes ?? {}) as Record<string, Record<string, unknown>>)) {
    nodes[node] = { ...nodes[node], ...pruned(told), state: nodeState(told.state) };
  }
  const job: Job = {
    id,
    state: (raw.state as JobState | undefined) ?? old?.state ?? "pending",
    name: text(raw.name) ?? old?.name ?? "",
    priority: count(raw.priority) ?? old?.priority ?? 0,
    client: text(raw.client) ?? old?.client ?? null,
    created: count(raw.created) ?? old?.created ?? 0,
    started: count(raw.started) ?? old?.started ?? null,
    ended: count(raw.ended) ?? old?.ended ?? null,
    error: text(raw.error) ?? old?.error ?? null,
    inputs: (raw.inputs as Job["inputs"] | undefined) ?? old?.inputs ?? {},
    nodes,
    results: Array.isArray(raw.results) ? raw.results.map(String) : (old?.results ?? []),
  };
  return { ...runs, jobs: { ...runs.jobs, [id]: ended(job) ? settled(job) : job } };
}

/** Nothing of a job that has ended is under way. */
function settled(job: Job): Job {
  const open = Object.entries(job.nodes).filter(([, n]) => n.state === "running" || n.state === "waiting");
  if (open.length === 0) return job;
  const nodes = { ...job.nodes };
  for (const [id, node] of open) nodes[id] = { ...node, state: job.state === "done" ? "done" : "skipped" };
  return { ...job, nodes };
}

const STATES: Readonly<Record<string, NodeState>> = {
  started: "running",
  running: "running",
  finished: "done",
  done: "done",
  cached: "cached",
  failed: "failed",
  skipped: "skipped",
  pending: "waiting",
  waiting: "waiting",
};

function nodeState(value: unknown): NodeState {
  return STATES[String(value).toLowerCase()] ?? "waiting";
}

/** The runs after an event. */
export function told(runs: Runs, event: Told, now: number): Runs {
  const { type, data } = event;
  if (type === "job") {
    const { time, state } = data;
    const began = state === "running" ? { started: time } : {};
    const over = state === "done" || state === "failed" || state === "cancelled" ? { ended: time } : {};
    return withJob(runs, {
      ...began,
      ...over,
      created: runs.jobs[String(data.job)]?.created ?? time,
      ...data,
      id: data.job,
    });
  }
  if (type === "queue") {
    const paused = data.what === "paused" || (data.what !== "resumed" && runs.paused);
    return paused === runs.paused ? runs : { ...runs, paused };
  }
  const job = runs.jobs[String(data.job)];
  if (!job || typeof data.node !== "string") return runs;
  const old = job.nodes[data.node];
  const node = nodeAfter(old, type, data, now);
  if (!node) return runs;
  const results = type === "Saved" && data.result != null ? [...job.results, String(data.result)] : job.results;
  const changed: Job = { ...job, results: [...new Set(results)], nodes: { ...job.nodes, [data.node]: node } };
  return { ...runs, jobs: { ...runs.jobs, [job.id]: changed } };
}

function nodeAfter(
  old: NodeRun | undefined,
  type: string,
  data: Readonly<Record<string, unknown>>,
  now: number,
): NodeRun | null {
  switch (type) {
    case "Started":
      return { state: "running", since: now };
    case "Progress": {
      // the latest step of a node may be told behind its end
      if (old?.state === "done" || old?.state === "cached") return null;
      const preview = text(data.preview) ?? old?.preview;
      return {
        ...old,
        state: "running",
        step: count(data.step) ?? 0,
        total: count(data.total) ?? 0,
        what: text(data.what) ?? "",
        ...(preview !== undefined && { preview }),
        since: old?.since ?? now,
      };
    }
    case "Finished":
      return { ...old, state: "done", seconds: count(data.seconds) ?? 0, ...pruned({ ended: data.ended }) };
    case "Cached":
      return { ...old, state: "cached", tier: text(data.tier) ?? "memory" };
    case "Failed":
      return { ...old, state: "failed", error: text(data.error) ?? "", port: text(data.port) ?? null };
    case "Skipped":
      return { ...old, state: "skipped" };
    case "Warned":
      return { state: "running", ...old, warnings: [...(old?.warnings ?? []), String(data.message)] };
    case "Saved":
      return data.result == null
        ? null
        : { state: "running", ...old, results: [...new Set([...(old?.results ?? []), String(data.result)])] };
    default:
      return null;
  }
}

/** The state of a node that may stand for several inside it. */
export function gathered(job: Job | undefined, ids: readonly string[]): NodeRun | undefined {
  if (!job) return undefined;
  if (ids.length === 1) return job.nodes[ids[0] ?? ""];
  const parts = ids.flatMap((id) => job.nodes[id] ?? []);
  if (parts.length === 0) return undefined;
  const active = parts.find((p) => p.state === "running") ?? parts.find((p) => p.state === "failed");
  if (active) return active;
  const all = (state: NodeState) => parts.every((p) => p.state === state);
  const state = all("cached") ? "cached" : parts.some((p) => p.state === "waiting") ? "running" : "done";
  return { state, seconds: parts.reduce((sum, p) => sum + (p.seconds ?? 0), 0) };
}

export interface Span {
  readonly id: string;
  readonly run: NodeRun;
  /** Where in the run it lies, and how much of it that is: 0 to 1. */
  readonly from: number;
  readonly part: number;
}

/** When each node of a job ran. One of which that is not known, since it was quick, stands behind the one before it. */
export function spans(job: Job): Span[] {
  const timed = Object.entries(job.nodes).filter(([, run]) => run.seconds !== undefined || run.state === "cached");
  const start = job.started ?? 0;
  let last = 0;
  const found = timed.map(([id, run]) => {
    const seconds = run.seconds ?? 0;
    const from = run.ended === undefined ? last : Math.max(0, run.ended - start - seconds);
    last = from + seconds;
    return { id, run, from, seconds, until: last };
  });
  const whole = Math.max(0.001, ...found.map((each) => each.until));
  return found
    .map(({ id, run, from, seconds }) => ({ id, run, from: from / whole, part: seconds / whole }))
    .sort((a, b) => a.from - b.from);
}

/** How far a job is, 0 to 1, of the nodes it is known to have. */
export function progress(job: Job, expected: number): number {
  let sum = 0;
  for (const node of Object.values(job.nodes)) {
    if (node.state === "running") sum += node.total ? (node.step ?? 0) / node.total : 0;
    else if (node.state !== "waiting") sum += 1;
  }
  return expected > 0 ? Math.min(1, sum / expected) : 0;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function pruned(raw: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw).filter(([, v]) => v !== null && v !== undefined));
}
