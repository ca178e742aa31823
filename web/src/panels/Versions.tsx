import { useEffect, useState } from "react";
import * as api from "../api/client";
import { openStored } from "../state/files";
import { useTab } from "../state/session";
import { closeDialog, complain } from "../state/view";
import { t } from "../text";
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
              <span className="quiet">{new Date(v.created * 1000).toLocaleString()}</span>
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
