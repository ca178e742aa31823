import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./app.css";
import "./canvas/canvas.css";
import "./canvas/nodes.css";
import "./ui/dialog.css";
import "./widgets/widgets.css";
import { Shell } from "./Shell";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Shell />
    </StrictMode>,
  );
}
