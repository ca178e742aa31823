import { goTo } from "../commands/going";
import { useCheck } from "../state/check";
import { useRuns } from "../state/runs";
import { change, current, useTab } from "../state/session";
import { said, t } from "../text";
import { copyText } from "../ui/copyText";
import { Icon } from "../ui/Icon";
import { type Fix, fixOf } from "./fixes";
import "./problems.css";

/** Everything that is wrong, each leading to where it is; below it what failed in the shown run. */
export default function ProblemsPanel() {
  const problems = useCheck((s) => s.problems);
  const job = useTab((tab) => tab.job);
  const nodes = useRuns((s) => (job === null ? undefined : s.jobs[job]?.nodes));
  const failed = Object.entries(nodes ?? {}).filter(([, run]) => run.state === "failed");
  const warned = Object.entries(nodes ?? {}).flatMap(([id, run]) =>
    (run.warnings ?? []).map((text) => [id, text] as const),
  );
  const notes = useTab((tab) => tab.notes);
  if (problems.length + failed.length + warned.length + notes.length === 0) {
    return <p className="quiet hint">{t.panel.noProblems}</p>;
  }
  return (
    <>
      <ul className="problems">
        {problems.map((p) => (
          <Line
            key={`${p.node}${p.port}${p.message}`}
            node={p.node}
            port={p.port}
            code={p.code}
            text={p.message}
            fix={fixOf(p)}
          />
        ))}
        {failed.map(([id, run]) => (
          <Line key={id} node={id} port={run.port ?? null} code="failed" text={run.error ?? ""} copied />
        ))}
      </ul>
      {warned.length > 0 && (
        <section className="mild">
          <h2>{t.panel.warnings}</h2>
          <ul className="problems">
            {warned.map(([id, text]) => (
              <Line key={`${id}${text}`} node={id} port={null} text={text} />
            ))}
          </ul>
        </section>
      )}
      {notes.length > 0 && (
        <section className="mild">
          <h2>{t.panel.notes}</h2>
          <ul className="problems">
            {notes.map((n) => (
              <Line key={`${n.node}${n.port}${n.message}`} node={n.node} port={n.port} code={n.code} text={n.message} />
            ))}
          </ul>
          <button
            type="button"
            className="button"
            onClick={() => change(current().id, (tab) => ({ ...tab, notes: [] }))}
          >
            {t.panel.forget}
          </button>
        </section>
      )}
    </>
  );
}

interface LineProps {
  readonly node: string;
  readonly port: string | null;
  readonly code?: string;
  /** In the server's words, which are English. */
  readonly text: string;
  readonly fix?: Fix | null;
  /** Whether it is offered to be copied. */
  readonly copied?: boolean;
}

function Line({ node, port, code = "", text, fix, copied }: LineProps) {
  const { text: words, whole } = said(text, code);
  const where = node === "" ? t.panel.document : port ? `${node}.${port}` : node;
  return (
    <li>
      <button type="button" disabled={node === ""} onClick={() => goTo(node)}>
        <Icon name="warning" size={14} />
        <span>
          <strong>{where}</strong> <span lang={whole ? undefined : "en"}>{words}</span>
        </span>
      </button>
      {fix && (
        <button type="button" className="button tiny" onClick={fix.act}>
          {fix.title}
        </button>
      )}
      {copied && (
        <button type="button" className="button tiny" onClick={() => void copyText(`${where}: ${words}`)}>
          {t.files.copy}
        </button>
      )}
    </li>
  );
}
