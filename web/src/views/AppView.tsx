import { typeOf } from "../core/catalogue";
import { end, type Json } from "../core/document";
import { hide, orderExposed, setValue } from "../core/edits";
import { Live } from "../panels/Live";
import { Latest } from "../panels/ResultsPanel";
import { known } from "../state/catalogue";
import { useCheck } from "../state/check";
import { editRoot, useTab } from "../state/session";
import { t } from "../text";
import { IconButton } from "../ui/IconButton";
import { Field } from "../widgets/Field";
import "./views.css";

/** The workflow as a form: the inputs it shows, and beside them what it makes. */
export default function AppView() {
  const document = useTab((tab) => tab.history.present);
  const job = useTab((tab) => tab.job);
  const names = Object.keys(document.inputs ?? {});
  return (
    <div className="app-view">
      <section className="form" aria-label={t.views.app}>
        <h2>{document.name || t.app.untitled}</h2>
        {document.description && <p className="quiet">{document.description}</p>}
        {names.length === 0 && (
          <div className="hint quiet">
            <p>{t.form.empty}</p>
            <p>{t.form.emptyHint}</p>
          </div>
        )}
        {names.map((name, i) => (
          <FormRow key={name} name={name} at={i} names={names} />
        ))}
      </section>
      <section className="form-results" aria-label={t.form.results}>
        <Live job={job} />
        <Latest />
      </section>
    </div>
  );
}

function FormRow({ name, at, names }: { name: string; at: number; names: readonly string[] }) {
  const exposed = useTab((tab) => tab.history.present.inputs?.[name]);
  const target = end(exposed?.to[0] ?? "");
  const step = useTab((tab) => tab.history.present.nodes[target.node]);
  const type = useTab((tab) => (step ? typeOf(step, tab.history.present, known()) : undefined));
  const problem = useCheck((s) => s.problems.find((p) => exposed?.to.includes(`${p.node}.${p.port}`))?.message);
  const input = type?.inputs.find((i) => i.name === target.port);
  if (!exposed || !input) return null;
  const value = step?.inputs?.[target.port] as Json | undefined;
  const put = (next: Json) =>
    editRoot(
      t.edits.value,
      (graph) => exposed.to.reduce((made, place) => setValue(made, end(place), next), graph),
      `form ${name}`,
    );
  const move = (by: number) => {
    const order = [...names];
    const [moved] = order.splice(at, 1);
    if (moved !== undefined) order.splice(at + by, 0, moved);
    editRoot(t.edits.expose, (graph) => orderExposed(graph, order));
  };
  return (
    <div className="form-row">
      <div className="form-field">
        <Field
          input={{ ...input, doc: exposed.description || input.doc }}
          label={exposed.title || input.title}
          value={value === undefined ? input.default : value}
          place={target}
          onChange={put}
        />
        {exposed.description && <p className="quiet">{exposed.description}</p>}
        {problem && <p className="bad-text">{problem}</p>}
      </div>
      <div className="form-tools">
        <IconButton
          icon="up"
          size={13}
          label={`${t.form.up}: ${exposed.title || name}`}
          disabled={at === 0}
          onClick={() => move(-1)}
        />
        <IconButton
          icon="chevron"
          size={13}
          label={`${t.form.down}: ${exposed.title || name}`}
          disabled={at === names.length - 1}
          onClick={() => move(1)}
        />
        <IconButton
          icon="close"
          size={13}
          label={`${t.panel.unexpose}: ${exposed.title || name}`}
          onClick={() => editRoot(t.edits.hide, (graph) => exposed.to.reduce((g, place) => hide(g, end(place)), graph))}
        />
      </div>
    </div>
  );
}
