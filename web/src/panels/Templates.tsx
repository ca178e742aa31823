import { useCallback, useEffect, useState } from "react";
import * as api from "../api/client";
import { search } from "../core/search";
import { forget, openStored } from "../state/files";
import { closeDialog, complain } from "../state/view";
import { names, t } from "../text";
import { Picker } from "../ui/Picker";
import "./templates.css";

/** What was saved, then templates, in the words of the chosen language. */
async function listed(): Promise<readonly api.Stored[]> {
  const [{ workflows }, words] = await Promise.all([api.workflows(), names()]);
  const said = (text: string) => words?.templates[text] ?? text;
  const own = workflows.filter((w) => !w.template);
  const shipped = workflows.filter((w) => w.template);
  return [...own, ...shipped.map((w) => ({ ...w, title: said(w.title), description: said(w.description) }))];
}

/** What the server keeps: what was saved, and templates. */
export default function Templates() {
  const [items, setItems] = useState<readonly api.Stored[]>();
  const [sure, setSure] = useState("");
  useEffect(() => {
    listed().then(setItems, complain);
  }, []);
  const find = useCallback(
    (query: string) => search(items ?? [], query, (w) => [w.title || w.name, w.name, w.description]),
    [items],
  );
  const remove = async (name: string) => {
    if (sure !== name) {
      setSure(name);
      return;
    }
    try {
      await forget(name);
      setItems((all) => all?.filter((w) => w.name !== name));
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Picker
      label={t.files.label}
      placeholder={t.files.placeholder}
      className="palette"
      find={find}
      keyOf={(w) => w.name}
      row={(w) => (
        <>
          {w.thumbnail != null && <img className="template-small" src={w.thumbnail} alt="" loading="lazy" />}
          <span>{w.title || w.name}</span>
          <span className="quiet">{w.template ? t.files.template : t.files.version(w.version)}</span>
        </>
      )}
      detail={(w) => (
        <>
          {w.thumbnail != null && <img className="template-picture" src={w.thumbnail} alt="" />}
          <h3>{w.title || w.name}</h3>
          <p>{w.description}</p>
          {!w.template && (
            <button type="button" className="button danger" onClick={() => void remove(w.name)}>
              {sure === w.name ? t.files.sure(w.version) : t.gallery.remove}
            </button>
          )}
        </>
      )}
      onPick={(w) => {
        closeDialog();
        void openStored(w.name, w.template);
      }}
      onClose={closeDialog}
      {...(!items && { empty: t.app.loading })}
    />
  );
}
