import { useEffect, useState } from "react";
import * as api from "../api/client";
import type { Workflow } from "../core/document";
import { ended, type Job } from "../core/runs";
import { cancel, submitted, useRuns } from "../state/runs";
import { change, current } from "../state/session";
import { closeDialog } from "../state/view";
import { saidOfRun, t } from "../text";
import { Dialog } from "../ui/Dialog";
import { Live } from "./Live";

interface Props {
  /** The node as a run names it. */
  readonly node: string;
  readonly port: string;
  readonly alt: string;
}

/** An output of a node: what the shown run gave, or, where nothing has kept it, made now for this look alone. */
export default function Look({ node, port, alt }: Props) {
  const [shown, setShown] = useState<api.Looked | null>(null);
  const [failed, setFailed] = useState("");
  const [job, setJob] = useState<string | null>(null);
  useEffect(() => {
    const page = new AbortController();
    const { signal } = page;
    const look = (id: string) => api.output(id, node, port, signal);
    const tab = current();
    const make = async (document: Workflow) => {
      const id = await submitted({ document, targets: [node] });
      if (!signal.aborted) setJob(id);
      // of the document as it is now, this is the latest run
      if (document === tab.history.present) change(tab.id, (now) => ({ ...now, job: id }));
      const { state, error } = await over(id, signal);
      if (state !== "done") throw new Error(error === null ? t.run.cancelled : saidOfRun(error));
      return look(id);
    };
    const find = async () => {
      const ran = tab.job;
      if (ran === null) return make(tab.history.present);
      try {
        return await look(ran);
      } catch (error) {
        if (!(error instanceof api.Refused) || error.status !== 404) throw error;
        // a node that the run did not have is looked at as it is now
        return make(error.code === "not_kept" ? (await api.job(ran)).document : tab.history.present);
      }
    };
    find().then(
      (found) => (signal.aborted ? api.letGo(found) : setShown(found)),
      (error: unknown) => !signal.aborted && setFailed(error instanceof Error ? error.message : String(error)),
    );
    return () => page.abort();
  }, [node, port]);
  useEffect(() => () => api.letGo(shown), [shown]);
  return (
    <Dialog label={alt} className="picture" headed onClose={closeDialog}>
      {shown?.picture && <img src={shown.picture} alt={alt} />}
      {shown?.words !== undefined && <pre className="looked">{shown.words}</pre>}
      {failed && <p className="looked bad-text">{failed}</p>}
      {!shown && !failed && (
        <div className="looked" role="status">
          {job !== null && <p className="quiet">{t.panel.making}</p>}
          <Live job={job} />
        </div>
      )}
    </Dialog>
  );
}

/** The job when it has ended. Who stops looking before that stops it. */
function over(id: string, signal: AbortSignal) {
  return new Promise<Job>((resolve, reject) => {
    const look = () => {
      const job = useRuns.getState().jobs[id];
      if (!signal.aborted && !(job && ended(job))) return;
      stop();
      signal.removeEventListener("abort", look);
      if (job && ended(job)) resolve(job);
      else {
        void cancel(id);
        reject(signal.reason);
      }
    };
    const stop = useRuns.subscribe(look);
    signal.addEventListener("abort", look);
    look();
  });
}
