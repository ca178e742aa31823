import { lazy, Suspense } from "react";
import { closeDialog, useView } from "./state/view";
import { Dialog } from "./ui/Dialog";
import { later } from "./ui/later";

const Palette = later(() => import("./panels/Palette"));
const CommandPalette = later(() => import("./commands/CommandPalette"));
const Find = later(() => import("./commands/Find"));
const Connect = later(() => import("./panels/Connect"));
const Lead = later(() => import("./panels/Lead"));
const SaveAs = later(() => import("./panels/SaveAs"));
const Templates = later(() => import("./panels/Templates"));
const Help = lazy(() => import("./commands/Help"));
const Export = lazy(() => import("./panels/Export"));
const Sweep = lazy(() => import("./panels/Sweep"));
const SweepGrid = lazy(() => import("./panels/SweepGrid"));
const Tour = lazy(() => import("./panels/Tour"));
const Versions = lazy(() => import("./panels/Versions"));
const Look = lazy(() => import("./panels/Look"));
const MaskDialog = lazy(() => import("./paint/MaskDialog"));
const BoxesDialog = lazy(() => import("./paint/BoxesDialog"));
const CameraDialog = lazy(() => import("./paint/CameraDialog"));
const SketchDialog = lazy(() => import("./paint/SketchDialog"));

/** The dialog that is open. What is seldom opened is loaded when it is. */
export function Dialogs() {
  return (
    <Suspense>
      <Opened />
    </Suspense>
  );
}

function Opened() {
  const dialog = useView((s) => s.dialog);
  switch (dialog?.kind) {
    case undefined:
      return null;
    case "palette":
      return <Palette {...dialog} />;
    case "connect":
      return <Connect node={dialog.node} />;
    case "commands":
      return <CommandPalette />;
    case "find":
      return <Find />;
    case "help":
      return <Help />;
    case "templates":
      return <Templates />;
    case "save":
      return <SaveAs />;
    case "versions":
      return <Versions />;
    case "export":
      return <Export />;
    case "sweep":
      return <Sweep target={dialog.target} />;
    case "grid":
      return <SweepGrid key={dialog.id} id={dialog.id} />;
    case "tour":
      return <Tour />;
    case "mask":
      return <MaskDialog {...dialog} />;
    case "boxes":
      return <BoxesDialog {...dialog} />;
    case "sketch":
      return <SketchDialog {...dialog} />;
    case "camera":
      return <CameraDialog put={dialog.put} />;
    case "lead":
      return <Lead node={dialog.node} />;
    case "look":
      return <Look {...dialog} />;
    case "picture":
      return (
        <Dialog label={dialog.alt} className="picture" headed onClose={closeDialog}>
          <img src={dialog.url} alt={dialog.alt} />
        </Dialog>
      );
  }
}
