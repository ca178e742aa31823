import { useEffect, useState } from "react";
import { byKey, isFree, isModifier } from "../core/keys";
import { closeDialog } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import { IconButton } from "../ui/IconButton";
import { pressed, shown } from "./keymap";
import { bind, restore, restoreAll, useKeys, useKeysOf } from "./keys";
import { COMMANDS, type Command } from "./registry";
import "./help.css";

/** The sheet of shortcuts, from the list of commands. A press on keys gives the command others. */
export default function Help() {
  const groups = Object.keys(t.groups) as (keyof typeof t.groups)[];
  const changed = useKeys((s) => Object.keys(s.custom).length > 0);
  const [asked, setAsked] = useState<Command | null>(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (!asked) return;
    const down = (event: KeyboardEvent) => {
      if (isModifier(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      const key = pressed(event);
      const other = byKey(COMMANDS, useKeys.getState().custom).get(key);
      if (event.key === "Escape") setSaid("");
      else if (!isFree(key)) setSaid(t.help.refused(shown(key)));
      else {
        bind(COMMANDS, asked.id, key);
        setSaid(other && other !== asked ? t.help.taken(shown(key), other.title) : "");
      }
      setAsked(null);
    };
    addEventListener("keydown", down, true);
    return () => removeEventListener("keydown", down, true);
  }, [asked]);
  return (
    <Dialog label={t.help.label} className="help" headed onClose={closeDialog}>
      <div className="help-bar">
        <p className="quiet" role="status">
          {said || t.help.change}
        </p>
        {changed && (
          <button type="button" className="button" onClick={restoreAll}>
            {t.help.restoreAll}
          </button>
        )}
      </div>
      <div className="help-groups">
        {groups.map((group) => (
          <section key={group}>
            <h3>{t.groups[group]}</h3>
            <ul>
              {COMMANDS.filter((c) => c.group === group).map((c) => (
                <Line key={c.id} command={c} asked={c === asked} onAsk={() => setAsked(c)} />
              ))}
            </ul>
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

interface LineProps {
  readonly command: Command;
  readonly asked: boolean;
  readonly onAsk: () => void;
}

function Line({ command, asked, onAsk }: LineProps) {
  const keys = useKeysOf(command);
  const own = useKeys((s) => s.custom[command.id] === undefined);
  return (
    <li>
      <span>{command.title}</span>
      {!own && (
        <IconButton
          icon="undo"
          size={12}
          label={t.help.restore(command.title)}
          onClick={() => restore(COMMANDS, command.id)}
        />
      )}
      <button type="button" className="help-keys" onClick={onAsk}>
        <span className="unseen">
          {t.help.keys(command.title)}
          {keys.length > 0 && ": "}
        </span>
        {asked ? (
          t.help.press
        ) : keys.length === 0 ? (
          <span aria-hidden="true">–</span>
        ) : (
          keys.map((key, i) => (
            <kbd key={key}>
              {i > 0 && <span className="unseen">, </span>}
              {shown(key)}
            </kbd>
          ))
        )}
      </button>
    </li>
  );
}
