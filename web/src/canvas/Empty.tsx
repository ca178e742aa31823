import { graphOf, useTab } from "../state/session";
import { openDialog } from "../state/view";
import { t } from "../text";

export function Empty() {
  const empty = useTab((tab) => Object.keys(graphOf(tab).nodes).length === 0);
  if (!empty) return null;
  return (
    <div className="empty">
      <p>{t.canvas.empty}</p>
      <p className="quiet">{t.canvas.emptyHint}</p>
      <button type="button" className="button" onClick={() => openDialog({ kind: "templates" })}>
        {t.canvas.templates}
      </button>
    </div>
  );
}
