import { useEffect, useState } from "react";
import * as api from "../api/client";
import { useAgainst } from "../state/compare";
import { openStored } from "../state/files";
import { current, useTab } from "../state/session";
import { closeDialog, complain, show } from "../state/view";
import { moment, t } from "../text";
import { Dialog } from "../ui/Dialog";

export default function Versions() {
  const name = useTab((tab) => tab.stored);
  const [versions, setVersions] = useState<readonly api.Version[]>([]);
  useEffect(() => {
    if (name !== null) api.versions(name).then((all) => setVersions(all.versions), complain);
  }, [name]);
  return (
    <Dialog label={t.files.versions} className="small" headed onClose={closeDialog}>
      {name === null ? (
        <p className="quiet">{t.files.noVersions}</p>
      ) : (
        <ul className="lines">
          {versions.map((v) => (
            <li key={v.version}>
              <span>{t.files.version(v.version)}</span>
              <span className="quiet">{moment(v.created)}</span>
              <button
                type="button"
                className="button"
                aria-label={`${t.compare.compare}: ${t.files.version(v.version)}`}
                onClick={() => void compareWith(name, v.version)}
              >
                {t.compare.compare}
              </button>
              <button
                type="button"
                className="button"
                onClick={() => {
                  closeDialog();
                  void openStored(name, false, v.version);
                }}
              >
                {t.files.openVersion}
              </button>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}

/** Show how the open document differs from a version of it. */
async function compareWith(name: string, version: number): Promise<void> {
  try {
    const { document } = await api.workflow(name, version);
    useAgainst.setState({ against: { document, name: t.files.version(version), tab: current().id } });
    closeDialog();
    show("graph");
  } catch (error) {
    complain(error);
  }
}
