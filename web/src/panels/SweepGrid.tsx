import { useEffect, useState } from "react";
import { useShallow } from "zustand/react/shallow";
import * as api from "../api/client";
import { ended, type Job } from "../core/runs";
import { type Cell, grid, shownValue, withValues } from "../core/sweeps";
import { useRuns } from "../state/runs";
import { editDocument } from "../state/session";
import { readSweep, type Sweep } from "../state/sweeps";
import { closeDialog, complain, inform } from "../state/view";
import { saidOfRun, t } from "../text";
import { Dialog } from "../ui/Dialog";
import "./sweep.css";

/** The pictures of a sweep in their places, as they are made. */
export default function SweepGrid({ id }: { id: string }) {
  const [sweep, setSweep] = useState<Sweep | null>(null);
  const [chosen, setChosen] = useState<Cell | null>(null);
  const online = useRuns((s) => s.online);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was missed while away is asked for again
  useEffect(() => {
    readSweep(id).then(setSweep, complain);
  }, [id, online]);
  const { over, failed } = useRuns(
    useShallow((s) => {
      const jobs = sweep?.cells.flatMap((c) => s.jobs[c.job] ?? []) ?? [];
      return { over: jobs.filter(ended).length, failed: jobs.filter((j) => j.state === "failed").length };
    }),
  );
  const label = sweep ? `${sweep.name || t.app.untitled}: ${sweep.axes.map((a) => a.name).join(" × ")}` : t.sweep.label;
  return (
    <Dialog label={label} className="sweep-grid" headed onClose={closeDialog}>
      {sweep && (
        <>
          <div className="sweep-head">
            <p className="quiet" role="status">
              {t.sweep.done(over, sweep.cells.length)}
              {failed > 0 && `, ${t.sweep.failed(failed)}`}
            </p>
            {over < sweep.cells.length && (
              <button type="button" className="button" onClick={() => void api.cancelSweep(sweep.id).catch(complain)}>
                {t.run.stop}
              </button>
            )}
          </div>
          <Table sweep={sweep} chosen={chosen} onChoose={setChosen} />
          {chosen && <Large cell={chosen} />}
        </>
      )}
    </Dialog>
  );
}

interface TableProps {
  readonly sweep: Sweep;
  readonly chosen: Cell | null;
  readonly onChoose: (cell: Cell) => void;
}

function Table({ sweep, chosen, onChoose }: TableProps) {
  const { columns, rows, at } = grid(sweep.axes, sweep.cells);
  const [across, down] = sweep.axes;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className="sweep-scroll" tabIndex={0} aria-label={sweep.axes.map((a) => a.name).join(" × ")}>
      <table>
        <thead>
          <tr>
            {down && (
              <th scope="col" className="corner">
                {down.name} \ {across?.name}
              </th>
            )}
            {columns.map((value, x) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a place is its index
              <th key={x} scope="col">
                {down ? shownValue(value) : `${across?.name} = ${shownValue(value)}`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((value, y) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a place is its index
            <tr key={y}>
              {down && <th scope="row">{shownValue(value)}</th>}
              {columns.map((_, x) => {
                const cell = at(x, y);
                // biome-ignore lint/suspicious/noArrayIndexKey: a place is its index
                return <td key={x}>{cell && <Place cell={cell} chosen={cell === chosen} onChoose={onChoose} />}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function said(cell: Cell): string {
  return Object.entries(cell.inputs)
    .map(([name, value]) => `${name} = ${shownValue(value)}`)
    .join(", ");
}

function Place({ cell, chosen, onChoose }: { cell: Cell; chosen: boolean; onChoose: (cell: Cell) => void }) {
  const job = useRuns((s) => s.jobs[cell.job]);
  const result = job?.results.at(-1);
  const state = job ? t.states[job.state] : "";
  return (
    <button
      type="button"
      className={`sweep-cell ${job?.state ?? ""}`}
      aria-pressed={chosen}
      aria-label={`${said(cell)}: ${state}`}
      title={job?.error ? saidOfRun(job.error) : said(cell)}
      onClick={() => onChoose(cell)}
    >
      {result !== undefined ? <img src={api.thumbnailUrl(result)} alt="" /> : <Waiting job={job} />}
    </button>
  );
}

/** A cell without a picture: the picture as it forms, or what it waits for. */
function Waiting({ job }: { job: Job | undefined }) {
  const running = job && Object.values(job.nodes).find((n) => n.state === "running");
  if (running?.preview !== undefined && job?.state === "running") return <img src={running.preview} alt="" />;
  return <span className="quiet">{job ? t.states[job.state] : ""}</span>;
}

function Large({ cell }: { cell: Cell }) {
  const job = useRuns((s) => s.jobs[cell.job]);
  const result = job?.results.at(-1);
  return (
    <div className="sweep-large">
      {result !== undefined && <img src={api.resultUrl(result)} alt={said(cell)} />}
      <div>
        <dl>
          {Object.entries(cell.inputs).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{shownValue(value)}</dd>
            </div>
          ))}
        </dl>
        {job?.error && <p className="bad">{saidOfRun(job.error)}</p>}
        <button
          type="button"
          className="button primary"
          onClick={() => {
            editDocument(t.edits.value, (document) => withValues(document, cell.inputs));
            inform(t.sweep.used);
          }}
        >
          {t.sweep.use}
        </button>
      </div>
    </div>
  );
}
