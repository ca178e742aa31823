import { closeDialog } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import { shown } from "./keymap";
import { COMMANDS } from "./registry";

/** The sheet of shortcuts, from the list of commands. */
export default function Help() {
  const groups = Object.keys(t.groups) as (keyof typeof t.groups)[];
  return (
    <Dialog label={t.help.label} className="help" headed onClose={closeDialog}>
      <div className="help-groups">
        {groups.map((group) => (
          <section key={group}>
            <h3>{t.groups[group]}</h3>
            <dl>
              {COMMANDS.filter((c) => c.group === group && c.keys.length > 0).map((c) => (
                <div key={c.id}>
                  <dt>{c.title}</dt>
                  <dd>
                    {c.keys.map((key) => (
                      <kbd key={key}>{shown(key)}</kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>{t.help.pointer}</h3>
          <dl>
            {t.help.gestures.map(([what, how]) => (
              <div key={what}>
                <dt>{what}</dt>
                <dd>{how}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </Dialog>
  );
}
