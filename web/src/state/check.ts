/** What the server says of the open document while it is edited: problems, and what a run would do. */

import { create } from "zustand";
import * as api from "../api/client";
import { tidy } from "../core/document";
import { ended } from "../core/runs";
import { useRuns } from "./runs";
import { activeOf, useSession } from "./session";

interface Checked {
  readonly problems: readonly api.Problem[];
  readonly plan: Readonly<Record<string, api.Planned>>;
}

const NONE: Checked = { problems: [], plan: {} };
export const useCheck = create<Checked>(() => NONE);

const DELAY = 250;

/** Check whenever what would run has changed, and when a run has ended, since then more is cached. */
export function keepChecked(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let request: AbortController | undefined;
  let last = "";
  let forced = false;
  const ask = async () => {
    const document = activeOf(useSession.getState()).history.present;
    const { layout: _, ...runs } = tidy(document);
    const now = JSON.stringify(runs);
    if (now === last && !forced) return;
    last = now;
    forced = false;
    if (Object.keys(document.nodes).length === 0) {
      useCheck.setState(NONE);
      return;
    }
    request?.abort();
    request = new AbortController();
    try {
      const { problems, plan } = await api.check(now, request.signal);
      useCheck.setState({ problems, plan: Object.fromEntries((plan ?? []).map((p) => [p.node, p])) });
    } catch (error) {
      if (error instanceof api.Refused) useCheck.setState({ problems: error.problems, plan: {} });
    }
  };
  const look = (force: boolean) => {
    forced ||= force;
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), DELAY);
  };
  const sessions = useSession.subscribe((now, before) => {
    const [a, b] = [activeOf(now), activeOf(before)];
    if (a.history.present !== b.history.present) look(false);
  });
  const runs = useRuns.subscribe((now, before) => {
    if (now.jobs === before.jobs) return;
    const over = Object.values(now.jobs).some((j) => ended(j) && before.jobs[j.id] && !ended(before.jobs[j.id] ?? j));
    if (over || (now.online && !before.online)) look(true);
  });
  look(true);
  return () => {
    sessions();
    runs();
    clearTimeout(timer);
    request?.abort();
  };
}
