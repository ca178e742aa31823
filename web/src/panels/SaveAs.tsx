import { useState } from "react";
import { keptName } from "../core/document";
import { saveAs } from "../state/files";
import { current, currentDocument, editDocument } from "../state/session";
import { closeDialog } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";

export default function SaveAs() {
  const proposed = current().stored ?? currentDocument().name ?? "";
  const [name, setName] = useState(proposed);
  return (
    <Dialog label={t.menu.saveAs} className="small" headed onClose={closeDialog}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          closeDialog();
          if (name !== proposed) editDocument(t.edits.rename, (document) => ({ ...document, name }));
          void saveAs(keptName(name));
        }}
      >
        <label className="stacked">
          <span>{t.files.name}</span>
          <input type="text" required value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <div className="dialog-foot">
          <button type="button" className="button" onClick={closeDialog}>
            {t.files.cancel}
          </button>
          <button type="submit" className="button primary">
            {t.files.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
