/** Whether a node of the shown graph has a picture of its own from the run that is shown. */

import { useRuns } from "../state/runs";
import { current } from "../state/session";

export function isLive(id: string): boolean {
  const { job, path } = current();
  const run = job === null ? undefined : useRuns.getState().jobs[job]?.nodes[[...path, id].join("/")];
  return run?.preview !== undefined;
}
