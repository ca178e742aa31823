/** Runs: submitting, following and steering them. */

import { create } from "zustand";
import * as api from "../api/client";
import { listen } from "../api/events";
import { ended, type Job, NO_RUNS, type Runs, told, withJob } from "../core/runs";
import { reseeded } from "../core/seeds";
import { saidOfRun, t } from "../text";
import { copyText } from "../ui/copyText";
import { known } from "./catalogue";
import { remember } from "./lastSeed";
import { adjust, change, current, useSession } from "./session";
import { announce, complain } from "./view";

interface Running extends Runs {
  readonly online: boolean;
}

export const useRuns = create<Running>(() => ({ ...NO_RUNS, online: false }));

/** The client's name: what tells the runs of this browser from others in the queue. */
export const CLIENT = "editor";

let waiting: { type: string; data: Record<string, unknown> }[] = [];
let frame = 0;

/** Events of one frame are taken together: a burst of them draws once. */
function hear(event: { type: string; data: Record<string, unknown> }): void {
  waiting.push(event);
  if (frame !== 0) return;
  frame = requestAnimationFrame(flush);
}

function flush(): void {
  frame = 0;
  const events = waiting;
  waiting = [];
  const now = Date.now();
  const before = useRuns.getState();
  useRuns.setState((s) => {
    let runs: Runs = s;
    for (const event of events) runs = told(runs, event, now);
    return { jobs: runs.jobs, paused: runs.paused };
  });
  for (const job of Object.values(useRuns.getState().jobs)) {
    const old = before.jobs[job.id];
    if (old && !ended(old) && ended(job)) finished(job);
  }
}

function finished(job: Job): void {
  if (useSession.getState().tabs.every((tab) => tab.job !== job.id)) return;
  if (job.state === "failed") {
    const text = job.error === null ? t.run.failed : saidOfRun(job.error);
    complain(text, { title: t.files.copy, run: () => void copyText(text) });
  } else announce(job.state === "done" ? t.run.done(job.results.length) : t.run.cancelled);
}

export function follow(): () => void {
  return listen({
    told: (event) => {
      if (event.type === "queue") void catchUp();
      // a background page draws no frames, but must not fall behind
      if (document.hidden) {
        waiting.push(event);
        flush();
      } else hear(event);
    },
    opened: () => {
      useRuns.setState({ online: true });
      void catchUp();
    },
    lost: () => useRuns.setState({ online: false }),
  });
}

async function catchUp(): Promise<void> {
  try {
    const [{ jobs }, { paused }] = await Promise.all([api.jobs(50), api.queue()]);
    useRuns.setState((s) => ({ jobs: jobs.reduce<Runs>(withJob, s).jobs, paused }));
    const missing = useSession.getState().tabs.flatMap((tab) => (tab.job ? [tab.job] : []));
    for (const id of new Set(missing)) {
      const raw = await api.job(id).catch(() => undefined);
      if (raw) useRuns.setState((s) => ({ jobs: withJob(s, raw).jobs }));
    }
  } catch {
    // the stream says when the server is back
  }
}

/** Queue a job and follow it; its id. */
export async function submitted(asked: Omit<Parameters<typeof api.submit>[0], "key" | "client">): Promise<string> {
  const key = crypto.randomUUID?.() ?? String(Math.random());
  const raw = await api.submit({ ...asked, client: CLIENT, key });
  useRuns.setState((s) => ({ jobs: withJob(s, raw).jobs }));
  return raw.id;
}

/** Run the document of the open tab, or as much of it as `targets` need. */
export async function run({ targets, first = false }: { targets?: readonly string[]; first?: boolean } = {}) {
  const tab = current();
  adjust(tab.id, (document) => reseeded(document, "random", known()));
  const document = current().history.present;
  try {
    const pending = Object.values(useRuns.getState().jobs).filter((j) => j.state === "pending");
    const priority = first ? Math.max(0, ...pending.map((j) => j.priority)) + 1 : 0;
    const id = await submitted({ document, priority, ...(targets && { targets: [...targets] }) });
    change(tab.id, (now) => ({ ...now, job: id }));
    remember(tab.id, document);
    adjust(tab.id, (now) => reseeded(now, "next", known()));
    announce(t.run.queued);
    return id;
  } catch (error) {
    complain(error);
    return undefined;
  }
}

export async function cancel(id: string): Promise<void> {
  await api.cancel(id).catch(complain);
}

export async function retry(id: string): Promise<void> {
  try {
    const raw = await api.retry(id);
    useRuns.setState((s) => ({ jobs: withJob(s, raw).jobs }));
  } catch (error) {
    complain(error);
  }
}

export async function prioritise(id: string, priority: number): Promise<void> {
  try {
    await api.prioritise(id, priority);
    useRuns.setState((s) => ({ jobs: withJob(s, { id, priority }).jobs }));
  } catch (error) {
    complain(error);
  }
}

export async function pause(paused: boolean): Promise<void> {
  try {
    await api.pause(paused);
    useRuns.setState({ paused });
  } catch (error) {
    complain(error);
  }
}
