import { lazy, Suspense } from "react";
import { CommandPalette } from "./commands/CommandPalette";
import { Find } from "./commands/Find";
import { Help } from "./commands/Help";
import { Connect } from "./panels/Connect";
import { Export } from "./panels/Export";
import { Palette } from "./panels/Palette";
import { SaveAs } from "./panels/SaveAs";
import { Templates } from "./panels/Templates";
import { Tour } from "./panels/Tour";
import { Versions } from "./panels/Versions";
import { closeDialog, useView } from "./state/view";
import { Dialog } from "./ui/Dialog";

const MaskDialog = lazy(() => import("./paint/MaskDialog"));
const SketchDialog = lazy(() => import("./paint/SketchDialog"));

/** The dialog that is open. Painting is loaded when it is first asked for. */
export function Dialogs() {
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
    case "tour":
      return <Tour />;
    case "mask":
      return (
        <Suspense>
          <MaskDialog {...dialog} />
        </Suspense>
      );
    case "sketch":
      return (
        <Suspense>
          <SketchDialog {...dialog} />
        </Suspense>
      );
    case "picture":
      return (
        <Dialog label={dialog.alt} className="picture" headed onClose={closeDialog}>
          <img src={dialog.url} alt={dialog.alt} />
        </Dialog>
      );
  }
}
