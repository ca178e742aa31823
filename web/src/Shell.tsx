import { lazy, Suspense, useEffect, useState } from "react";
import * as api from "./api/client";
import { Canvas } from "./canvas/Canvas";
import { graphPoint } from "./canvas/state";
import { listenToKeys } from "./commands/keymap";
import { runOnChange } from "./commands/running";
import { Dialogs } from "./Dialogs";
import { Panel } from "./panels/Panel";
import { keepTabs } from "./state/autosave";
import { loadCatalogue } from "./state/catalogue";
import { keepChecked } from "./state/check";
import { openDocument, openFile, takeLinked } from "./state/files";
import { follow, useRuns } from "./state/runs";
import { useTab } from "./state/session";
import { complain, dismiss, openDialog, useView } from "./state/view";
import { TopBar } from "./TopBar";
import { language, t } from "./text";
import { useChooser } from "./ui/chooser";
import { IconButton } from "./ui/IconButton";
import { fetchLater, later } from "./ui/later";

const AppView = later(() => import("./views/AppView"));
const Chooser = later(() => import("./ui/Chooser"));
const GalleryView = lazy(() => import("./views/GalleryView"));
const AGAIN = 1500;

/** Load what the server has, then the tabs of this window, or on a first visit the first template. */
async function begin(): Promise<void> {
  await loadCatalogue();
  if (await keepTabs()) return;
  const { workflows } = await api.workflows();
  const first = workflows.find((w) => w.template);
  if (!first) return;
  await openDocument((await api.workflow(first.name)).document);
  if (localStorage.getItem("nodegraph.toured") === null) openDialog({ kind: "tour" });
}

let begun: Promise<void> | undefined;

export function Shell() {
  const [ready, setReady] = useState(false);
  const view = useView((s) => s.view);
  const theme = useView((s) => s.theme);
  const name = useTab((tab) => tab.history.present.name || t.app.untitled);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stops: (() => void)[] = [];
    let over = false;
    const attempt = () => {
      begun ??= begin();
      begun.then(
        () => {
          if (over) return;
          setReady(true);
          stops = [follow(), keepChecked(), listenToKeys(), runOnChange(), fetchLater()];
          if (navigator.maxTouchPoints > 0)
            void import("./ui/longPress").then(({ listenToLongPress }) => !over && stops.push(listenToLongPress()));
        },
        (error) => {
          begun = undefined;
          if (!(error instanceof api.Unreachable)) complain(error);
          if (!over) timer = setTimeout(attempt, AGAIN);
        },
      );
    };
    attempt();
    return () => {
      over = true;
      clearTimeout(timer);
      for (const stop of stops) stop();
    };
  }, []);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    document.documentElement.lang = language();
  }, [theme]);

  if (!ready) {
    return (
      <main className="loading">
        <h1 className="unseen">{t.app.name}</h1>
        <p>{t.app.loading}</p>
        <Messages />
      </main>
    );
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files are dropped anywhere; the menu opens them too
    <div className="shell" onDragOver={allowFiles} onDrop={dropFiles}>
      <TopBar />
      <main className="stage">
        <h1 className="unseen">{name}</h1>
        {view === "graph" && <Canvas />}
        {view === "app" && (
          <Suspense>
            <AppView />
          </Suspense>
        )}
        {view === "gallery" && (
          <Suspense>
            <GalleryView />
          </Suspense>
        )}
      </main>
      {view === "graph" && <Panel />}
      <Dialogs />
      <Choices />
      <Messages />
      <Offline />
    </div>
  );
}

function allowFiles(event: React.DragEvent): void {
  const { types } = event.dataTransfer;
  const typing = event.target instanceof Element && event.target.closest("input, textarea");
  if (types.includes("Files") || (types.includes("text/uri-list") && !typing)) event.preventDefault();
}

function dropFiles(event: React.DragEvent): void {
  const [file] = event.dataTransfer.files;
  const link = event.dataTransfer.getData("text/uri-list");
  if (event.defaultPrevented || (!file && !link)) return;
  event.preventDefault();
  const onCanvas = event.target instanceof Element && event.target.closest(".canvas");
  const at = onCanvas ? graphPoint({ x: event.clientX, y: event.clientY }) : null;
  // a picture of this page is dragged to be used: the gallery opens its workflow
  if (!file && link.startsWith(`${location.origin}/api/`)) void takeLinked(link, at);
  else void openFile(file, at);
}

function Messages() {
  const messages = useView((s) => s.messages);
  const said = useView((s) => s.said);
  return (
    <>
      <section className="messages" aria-label={t.message.label} aria-live="assertive">
        {messages.map((message) => (
          <div key={message.id} className={`message ${message.tone}`}>
            <p>{message.text}</p>
            {message.act && (
              <button
                type="button"
                className="button"
                onClick={() => {
                  message.act?.run();
                  dismiss(message.id);
                }}
              >
                {message.act.title}
              </button>
            )}
            <IconButton icon="close" size={14} label={t.message.dismiss} onClick={() => dismiss(message.id)} />
          </div>
        ))}
      </section>
      <div className="unseen" role="status">
        {said}
      </div>
    </>
  );
}

/** The list that a field has opened. */
function Choices() {
  const open = useChooser((s) => s.open !== null);
  return (
    open && (
      <Suspense>
        <Chooser />
      </Suspense>
    )
  );
}

function Offline() {
  const online = useRuns((s) => s.online);
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (online) return;
    const timer = setTimeout(() => setLate(true), 1200);
    return () => clearTimeout(timer);
  }, [online]);
  return late ? (
    <div className="offline" role="alert">
      {t.app.offline}
    </div>
  ) : null;
}
