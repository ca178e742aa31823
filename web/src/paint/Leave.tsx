import { useState } from "react";
import { announce, closeDialog } from "../state/view";
import { t } from "../text";

/** Leaving a dialog in which something was made: the first time it is only asked whether that may be lost. */
export function useLeave(made: boolean) {
  const [asked, setAsked] = useState(false);
  const leave = () => {
    if (!made || asked) {
      closeDialog();
      return;
    }
    setAsked(true);
    announce(t.paint.discard);
  };
  return { leave, asked: asked && made };
}

export function LeaveButton({ leave, asked }: ReturnType<typeof useLeave>) {
  return (
    <button type="button" className={asked ? "button danger" : "button"} onClick={leave}>
      {asked ? t.paint.discard : t.paint.cancel}
    </button>
  );
}
