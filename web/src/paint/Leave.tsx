import { useState } from "react";
import { announce, closeDialog } from "../state/view";
import { t } from "../text";

/** Leaving a dialog in which something was made: the first time it is only asked whether that may be lost, and again when it
 * has changed since, of which `state` is a sign. */
export function useLeave(made: boolean, state: unknown) {
  const [askedOf, setAskedOf] = useState<unknown>(null);
  const asked = made && askedOf === state;
  const leave = () => {
    if (!made || asked) {
      closeDialog();
      return;
    }
    setAskedOf(state);
    announce(t.paint.discard);
  };
  return { leave, asked };
}

export function LeaveButton({ leave, asked }: ReturnType<typeof useLeave>) {
  return (
    <button type="button" className={asked ? "button danger" : "button"} onClick={leave}>
      {asked ? t.paint.discard : t.paint.cancel}
    </button>
  );
}
