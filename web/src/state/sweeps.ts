/** Sweeps: asking for them, and following their jobs. */

import { create } from "zustand";
import * as api from "../api/client";
import { type Runs, withJob } from "../core/runs";
import type { Cell } from "../core/sweeps";
import { t } from "../text";
import { CLIENT, useRuns } from "./runs";
import { currentDocument } from "./session";
import { announce, openDialog } from "./view";

/** The sweep that was asked for last on this page. */
export const useSweeps = create<{ last: Sweep | null }>(() => ({ last: null }));

export interface Sweep {
  readonly id: string;
  readonly name: string;
  readonly axes: api.Sweep["axes"];
  readonly cells: readonly Cell[];
}

function known(raw: api.Sweep): Sweep {
  useRuns.setState((s) => ({ jobs: raw.cells.reduce<Runs>((runs, cell) => withJob(runs, cell.job), s).jobs }));
  const cells = raw.cells.map(({ place, inputs, job }) => ({ place, inputs, job: String(job.id) }));
  return { id: raw.id, name: raw.name, axes: raw.axes, cells };
}

export async function startSweep(axes: Readonly<Record<string, string>>): Promise<void> {
  const key = crypto.randomUUID?.() ?? String(Math.random());
  const last = known(await api.sweep({ document: currentDocument(), axes, client: CLIENT, key }));
  useSweeps.setState({ last });
  announce(t.run.queued);
  openDialog({ kind: "grid", id: last.id });
}

export async function readSweep(id: string): Promise<Sweep> {
  return known(await api.sweepOf(id));
}
