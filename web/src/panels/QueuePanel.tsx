import { useShallow } from "zustand/react/shallow";
import { thumbnailUrl } from "../api/client";
import type { Json } from "../core/document";
import { inLine, moved } from "../core/queue";
import { ended, spans } from "../core/runs";
import { shownValue } from "../core/sweeps";
import { cancel, pause, prioritise, retry, useRuns } from "../state/runs";
import { change, current, useTab } from "../state/session";
import { clock, saidOfRun, t } from "../text";
import { IconButton } from "../ui/IconButton";
import "./queue.css";

const MOST = 40;

export default function QueuePanel() {
  const paused = useRuns((s) => s.paused);
  const ids = useRuns(
    useShallow((s) => {
      const jobs = Object.values(s.jobs);
      const running = jobs.filter((j) => j.state === "running");
      const waiting = jobs.filter((j) => j.state === "pending").sort(inLine);
      const over = jobs.filter(ended).sort((a, b) => b.created - a.created);
      return [...running, ...waiting, ...over.slice(0, MOST)].map((j) => j.id);
    }),
  );
  return (
    <>
      <div className="queue-head">
        <span className="quiet">{paused ? t.panel.paused : ""}</span>
        <button type="button" className="button" onClick={() => void pause(!paused)}>
          {paused ? t.panel.resume : t.panel.pause}
        </button>
      </div>
      {ids.length === 0 && <p className="quiet hint">{t.panel.noQueue}</p>}
      <ul className="queue">
        {ids.map((id) => (
          <Line key={id} id={id} />
        ))}
      </ul>
      <Timeline />
    </>
  );
}

function Line({ id }: { id: string }) {
  const job = useRuns((s) => s.jobs[id]);
  const shown = useTab((tab) => tab.job === id);
  if (!job) return null;
  const show = () => change(current().id, (tab) => ({ ...tab, job: id }));
  const given = Object.entries(job.inputs).map(([name, value]) => `${name} ${shownValue(value as Json)}`);
  const picture = job.results.at(-1);
  const seconds = job.started !== null && job.ended !== null ? job.ended - job.started : null;
  return (
    <li className={`job ${job.state}`}>
      <button
        type="button"
        className="job-name"
        aria-pressed={shown}
        title={job.error === null ? undefined : saidOfRun(job.error)}
        onClick={show}
      >
        <span className="job-state" />
        {picture !== undefined && <img src={thumbnailUrl(picture)} alt="" loading="lazy" />}
        <span title={given.join("\n")}>
          {job.name || t.app.untitled}
          <small>{given.join(", ") || clock(job.created)}</small>
        </span>
        <span className="quiet">
          {t.states[job.state]}
          {seconds === null ? "" : `, ${t.run.seconds(seconds)}`}
        </span>
      </button>
      {job.state === "pending" && (
        <>
          <IconButton icon="up" size={13} label={t.panel.up} onClick={() => move(id, -1)} />
          <IconButton icon="chevron" size={13} label={t.panel.down} onClick={() => move(id, 1)} />
        </>
      )}
      {ended(job) ? (
        <IconButton icon="redo" size={13} label={t.panel.retry} onClick={() => void retry(id)} />
      ) : (
        <IconButton icon="close" size={13} label={t.panel.cancel} onClick={() => void cancel(id)} />
      )}
    </li>
  );
}

/** Move a waiting run one place. */
function move(id: string, by: 1 | -1): void {
  const waiting = Object.values(useRuns.getState().jobs).filter((j) => j.state === "pending");
  for (const [other, priority] of moved(waiting, id, by)) void prioritise(other, priority);
}

/** When each node of the shown run ran, and how long. */
function Timeline() {
  const id = useTab((tab) => tab.job);
  const job = useRuns((s) => (id === null ? undefined : s.jobs[id]));
  const shown = job ? spans(job) : [];
  if (shown.length === 0) return null;
  return (
    <section className="timeline">
      <h2>{t.panel.timeline}</h2>
      <dl>
        {shown.map(({ id: node, run, from, part }) => (
          <div key={node}>
            <dt title={node}>{node}</dt>
            <dd style={{ "--from": from, "--part": part } as React.CSSProperties}>
              {run.state === "cached" ? t.states.cached : t.run.seconds(run.seconds ?? 0)}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
