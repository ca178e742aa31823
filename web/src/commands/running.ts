/** Commands that run the open document, and running it on every change. */

import type { Workflow } from "../core/document";
import { ended } from "../core/runs";
import { useCheck } from "../state/check";
import { cancel, run, useRuns } from "../state/runs";
import { current, currentDocument } from "../state/session";
import { inform, useView } from "../state/view";
import { t } from "../text";

export async function start(targets?: readonly string[], first = false): Promise<void> {
  if (targets?.length === 0) {
    inform(t.canvas.tooFew(1));
    return;
  }
  const { path } = current();
  const full = targets?.map((id) => [...path, id].join("/"));
  await run({ first, ...(full && { targets: full }) });
}

export function toggleOnChange(): void {
  const onChange = !useView.getState().onChange;
  useView.setState({ onChange });
  inform(onChange ? t.run.onChange : t.run.notOnChange);
}

const PAUSE = 600;

/** While that is asked for, run what has been changed as soon as no key was pressed for a moment and nothing is wrong. */
export function runOnChange(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // a run may give its document the next seed, which is no reason for another
  let ran: Workflow | undefined;
  const stop = useCheck.subscribe((now, before) => {
    if (
      currentDocument() === ran ||
      !useView.getState().onChange ||
      now.plan === before.plan ||
      now.problems.length > 0
    )
      return;
    clearTimeout(timer);
    if (!Object.values(now.plan).some((p) => p.state === "run")) return;
    timer = setTimeout(() => {
      const { job } = current();
      const old = job === null ? undefined : useRuns.getState().jobs[job];
      if (old && !ended(old)) void cancel(old.id);
      void start().then(() => {
        ran = currentDocument();
      });
    }, PAUSE);
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}

export function stop(): void {
  const { job } = current();
  const shown = job === null ? undefined : useRuns.getState().jobs[job];
  const running =
    shown && !ended(shown) ? shown : Object.values(useRuns.getState().jobs).find((j) => j.state === "running");
  if (running) void cancel(running.id);
}
