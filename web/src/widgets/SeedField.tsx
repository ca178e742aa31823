import type { Widget } from "../core/catalogue";
import type { SeedMode } from "../core/document";
import { withLook } from "../core/edits";
import { randomSeed } from "../core/seeds";
import { useLastSeed } from "../state/lastSeed";
import { edit, graphOf, useTab } from "../state/session";
import { t } from "../text";
import { choose } from "../ui/chooser";
import { IconButton } from "../ui/IconButton";
import type { FieldProps } from "./Field";
import { NumberField } from "./NumberField";

interface Props extends FieldProps<number> {
  readonly widget: Extract<Widget, { kind: "seed" }>;
}

const MODES: readonly SeedMode[] = ["fixed", "random", "next"];
const SIGNS = { fixed: "=", random: "?", next: "+1" } as const;

/** A seed: what it does after a run, a new one at a press, and the last one that ran. */
export function SeedField({ widget, place, ...rest }: Props) {
  const mode = useTab((tab) => graphOf(tab).layout?.looks?.[place.node]?.seed ?? "fixed");
  const ran = useLastSeed(place);
  const last = ran === rest.value ? undefined : ran;
  const open = (button: HTMLButtonElement) => {
    const modes = MODES.map((m) => ({ value: m as string, title: t.field.seedModes[m] }));
    const reuse = last === undefined ? [] : [{ value: "last", title: t.field.lastSeed(last) }];
    choose(button, {
      label: t.field.seedMode,
      choices: [...modes, ...reuse],
      value: mode,
      onPick: (picked) => {
        if (picked === "last" && last !== undefined) {
          rest.onChange(last);
          setMode("fixed");
        } else setMode(picked as SeedMode);
      },
    });
  };
  const setMode = (picked: SeedMode) =>
    edit(t.edits.look, (graph) => withLook(graph, [place.node], { seed: picked === "fixed" ? undefined : picked }));
  return (
    <div className="seed">
      <NumberField
        {...rest}
        note={last === undefined ? "" : t.field.last(last)}
        place={place}
        widget={{ ...widget, whole: true, step: 1 }}
      />
      <IconButton
        icon="dice"
        size={14}
        className="nodrag"
        label={t.field.reroll}
        onClick={() => rest.onChange(randomSeed())}
      />
      <button
        type="button"
        className="seed-mode nodrag"
        aria-haspopup="listbox"
        aria-label={`${t.field.seedMode}: ${t.field.seedModes[mode]}`}
        title={`${t.field.seedMode}: ${t.field.seedModes[mode]}`}
        onClick={(event) => open(event.currentTarget)}
      >
        {SIGNS[mode]}
      </button>
    </div>
  );
}
