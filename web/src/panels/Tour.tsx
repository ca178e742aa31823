import { useEffect, useState } from "react";
import { closeDialog } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import "./tour.css";

/** Four steps on a first visit. */
export default function Tour() {
  const [at, setAt] = useState(0);
  const { steps } = t.tour;
  const last = at === steps.length - 1;
  // what a step tells of is marked on the page
  useEffect(() => {
    document.documentElement.dataset.tour = String(at);
    return () => {
      delete document.documentElement.dataset.tour;
    };
  }, [at]);
  const close = () => {
    localStorage.setItem("nodegraph.toured", "yes");
    closeDialog();
  };
  return (
    <Dialog label={t.tour.label} className="tour" onClose={close}>
      <p className="tour-count">
        {at + 1} / {steps.length}
      </p>
      <h2>{steps[at]?.[0]}</h2>
      <p aria-live="polite">{steps[at]?.[1]}</p>
      <div className="dialog-foot">
        <button type="button" className="button plain" onClick={close}>
          {t.tour.skip}
        </button>
        {at > 0 && (
          <button type="button" className="button" onClick={() => setAt(at - 1)}>
            {t.tour.back}
          </button>
        )}
        <button type="button" className="button primary" onClick={() => (last ? close() : setAt(at + 1))}>
          {last ? t.tour.done : t.tour.next}
        </button>
      </div>
    </Dialog>
  );
}
