import { goTo } from "../commands/going";
import { shortly } from "../core/compare";
import { useAgainst, useDifference } from "../state/compare";
import { current } from "../state/session";
import { t } from "../text";
import { IconButton } from "../ui/IconButton";
import "./compared.css";

/** What the shown graph has that the version beside it has not, and the other way. */
export default function Compared() {
  const name = useAgainst((s) => s.against?.name);
  const found = useDifference((d) => d);
  if (!found || name === undefined) return null;
  const go = (id: string) => goTo([...current().path, id].join("/"));
  const none = found.added.length + found.removed.length + Object.keys(found.changed).length === 0;
  return (
    <section className="compared" aria-label={t.compare.with(name)}>
      <div className="compared-head">
        <strong>{t.compare.with(name)}</strong>
        <IconButton
          icon="close"
          size={13}
          label={t.compare.close}
          onClick={() => useAgainst.setState({ against: null })}
        />
      </div>
      {none && <p className="quiet">{t.compare.same}</p>}
      <ul>
        {found.added.map((id) => (
          <li key={id} className="added">
            <button type="button" onClick={() => go(id)}>
              {t.compare.added(id)}
            </button>
          </li>
        ))}
        {Object.entries(found.changed).map(([id, differs]) => (
          <li key={id} className="changed">
            <button type="button" onClick={() => go(id)}>
              {id}
            </button>
            {differs.map((d) => (
              <div key={d.port} className="compared-value">
                <span className="quiet">{d.port}</span> <del>{shortly(d.before)}</del> → <ins>{shortly(d.after)}</ins>
              </div>
            ))}
          </li>
        ))}
        {found.removed.map((id) => (
          <li key={id} className="removed">
            {t.compare.removed(id)}
          </li>
        ))}
      </ul>
    </section>
  );
}
