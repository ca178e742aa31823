/** Open documents outlive the page: each window writes its tabs to the browser's storage, and takes them up again. */

import { isWorkflow, type Workflow } from "../core/document";
import { keep, kept } from "./durable";
import { current, newTab, type Tab, useSession } from "./session";

interface Kept {
  readonly tabs: readonly (Pick<Tab, "id" | "stored" | "job" | "path" | "notes"> & {
    readonly document: unknown;
    /** As it was saved, where the document is another. */
    readonly saved?: Workflow | undefined;
  })[];
  readonly active: string;
  /** When it was written, in milliseconds. */
  readonly time?: number;
}

const DELAY = 400;

const PLACE = "nodegraph.place";
/** How long a page that is loaded anew waits for its predecessor to be gone. */
const PATIENCE = 2000;

/** The place of this window among those of the browser, so that two of them do not write over each other: the one it
 * had before it was loaded anew, or else the lowest that is free. */
async function place(): Promise<number> {
  if (!navigator.locks) return 0;
  const before = sessionStorage.getItem(PLACE);
  if (before !== null && (await take(Number(before), { signal: AbortSignal.timeout(PATIENCE) }))) return Number(before);
  let free = 0;
  while (!(await take(free, { ifAvailable: true }))) free++;
  sessionStorage.setItem(PLACE, String(free));
  return free;
}

function take(n: number, options: LockOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const held = navigator.locks.request(`nodegraph-window-${n}`, options, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {}); // held until the window is gone
    });
    held.catch(() => resolve(false));
  });
}

/** Bring back the tabs of this window, and keep them from now on. Returns whether there were any. */
export async function keepTabs(): Promise<boolean> {
  const key = `nodegraph.window.${await place()}`;
  const restored = restore(await kept(key));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const write = () => {
    const { tabs, active } = useSession.getState();
    const open: Kept = {
      time: Date.now(),
      tabs: tabs.map(({ id, stored, job, path, saved, notes, history }) => ({
        id,
        stored,
        job,
        path,
        notes,
        document: history.present,
        saved: saved === history.present ? undefined : saved,
      })),
      active,
    };
    keep(key, JSON.stringify(open));
  };
  useSession.subscribe(() => {
    clearTimeout(timer);
    timer = setTimeout(write, DELAY);
  });
  addEventListener("pagehide", write);
  return restored;
}

/** Open the later of what was written. */
function restore(texts: readonly string[]): boolean {
  try {
    const [last] = texts.map((text) => JSON.parse(text) as Kept).sort((a, b) => (b.time ?? 0) - (a.time ?? 0));
    if (!last) return false;
    const tabs = last.tabs.flatMap(({ document, saved, ...rest }): Tab[] => {
      if (!isWorkflow(document)) return [];
      return [{ ...newTab(document), ...rest, saved: saved ?? document }];
    });
    const empty = tabs.every((t) => Object.keys(t.history.present.nodes).length === 0);
    if (tabs.length === 0 || empty) return false;
    useSession.setState({ tabs, active: tabs.some((t) => t.id === last.active) ? last.active : (tabs[0]?.id ?? "") });
    return current().history.present.nodes !== undefined;
  } catch {
    return false;
  }
}
