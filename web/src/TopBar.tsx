import { useEffect, useRef } from "react";
import { shown } from "./commands/keymap";
import { useKeys } from "./commands/keys";
import { COMMANDS } from "./commands/registry";
import { start, toggleOnChange } from "./commands/running";
import { keysOf } from "./core/keys";
import { ended, progress } from "./core/runs";
import { useCheck } from "./state/check";
import { newWorkflow, pickFile, save } from "./state/files";
import { cancel, useRuns } from "./state/runs";
import { chosenNodes, closeTab, isChanged, openTab, showTab, useSession, useTab } from "./state/session";
import {
  inform,
  openDialog,
  setTheme,
  setWheel,
  show,
  type Theme,
  togglePanel,
  useView,
  type View,
  type Wheel,
} from "./state/view";
import { LANGUAGES, type Language, language, setLanguage, t } from "./text";
import { Icon, type IconName } from "./ui/Icon";
import { IconButton } from "./ui/IconButton";
import "./top.css";

const VIEWS: readonly (readonly [View, IconName])[] = [
  ["graph", "graph"],
  ["app", "form"],
  ["gallery", "image"],
];

export function TopBar() {
  return (
    <header className="top">
      <Menu />
      <Tabs />
      <ViewSwitch />
      <div className="top-end">
        <ProblemsButton />
        <QueueButton />
        <RunButton />
      </div>
    </header>
  );
}

/** The key of a command, as it is now; "" for none. */
function firstKey(id: keyof typeof t.actions): string {
  const command = COMMANDS.find((c) => c.id === id);
  return (command && keysOf(command, useKeys.getState().custom)[0]) ?? "";
}

function Menu() {
  useKeys((s) => s.custom);
  const theme = useView((s) => s.theme);
  const wheel = useView((s) => s.wheel);
  const menu = useRef<HTMLDivElement>(null);
  const pick = (act: () => void) => () => {
    menu.current?.hidePopover();
    act();
  };
  const keys = (event: React.KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    event.stopPropagation();
    const items = [...(menu.current?.querySelectorAll<HTMLElement>("button") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length]?.focus();
  };
  const items: readonly (readonly [string, keyof typeof t.actions | null, () => void])[] = [
    [t.menu.new, "new", newWorkflow],
    [t.menu.templates, "templates", () => openDialog({ kind: "templates" })],
    [t.menu.file, "openFile", pickFile],
    [t.menu.save, "save", () => void save()],
    [t.menu.saveAs, "saveAs", () => openDialog({ kind: "save" })],
    [t.menu.versions, "versions", () => openDialog({ kind: "versions" })],
    [t.menu.export, "export", () => openDialog({ kind: "export" })],
    [t.commands.label, "commands", () => openDialog({ kind: "commands" })],
    [t.menu.help, "help", () => openDialog({ kind: "help" })],
    [t.menu.tour, null, () => openDialog({ kind: "tour" })],
  ];
  return (
    <>
      <button
        type="button"
        className="icon-button menu-button"
        aria-label={t.menu.open}
        title={t.menu.open}
        popoverTarget="menu"
      >
        <Icon name="menu" />
      </button>
      <div
        id="menu"
        ref={menu}
        popover="auto"
        className="menu"
        role="dialog"
        aria-label={t.menu.open}
        onKeyDown={keys}
        onToggle={(event) => {
          if (event.newState === "open") menu.current?.querySelector("button")?.focus();
        }}
      >
        {items.map(([title, command, act]) => (
          <button key={title} type="button" onClick={pick(act)}>
            <span>{title}</span>
            {command && firstKey(command) && <kbd>{shown(firstKey(command))}</kbd>}
          </button>
        ))}
        <fieldset className="menu-theme">
          <legend>{t.menu.theme}</legend>
          {(["system", "dark", "light"] satisfies Theme[]).map((name) => (
            <label key={name}>
              <input type="radio" name="theme" checked={theme === name} onChange={() => setTheme(name)} />
              <span>{t.menu.themes[name]}</span>
            </label>
          ))}
        </fieldset>
        <fieldset className="menu-theme">
          <legend>{t.menu.wheel}</legend>
          {(["auto", "zoom", "move"] satisfies Wheel[]).map((name) => (
            <label key={name}>
              <input type="radio" name="wheel" checked={wheel === name} onChange={() => setWheel(name)} />
              <span>{t.menu.wheels[name]}</span>
            </label>
          ))}
        </fieldset>
        <fieldset className="menu-theme">
          <legend>{t.menu.language}</legend>
          {(Object.keys(LANGUAGES) as Language[]).map((name) => (
            <label key={name} lang={name}>
              <input type="radio" name="language" checked={language() === name} onChange={() => setLanguage(name)} />
              <span>{LANGUAGES[name]}</span>
            </label>
          ))}
        </fieldset>
      </div>
    </>
  );
}

function Tabs() {
  const tabs = useSession((s) => s.tabs);
  const active = useTab((tab) => tab.id);
  const nav = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another tab is shown
  useEffect(() => {
    nav.current?.querySelector(".active")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active]);
  return (
    <nav ref={nav} className="tabs" aria-label={t.tabs.label}>
      {tabs.map((tab) => {
        const name = tab.history.present.name || tab.stored || t.app.untitled;
        return (
          <div key={tab.id} className={`tab ${tab.id === active ? "active" : ""}`}>
            <button type="button" aria-current={tab.id === active ? "page" : undefined} onClick={() => showTab(tab.id)}>
              <span className="tab-name">{name}</span>
              {isChanged(tab) && <span className="dot" role="img" aria-label={t.tabs.changed} title={t.tabs.changed} />}
            </button>
            <IconButton
              icon="close"
              size={12}
              label={t.tabs.close(name)}
              onClick={() => {
                closeTab(tab.id);
                if (isChanged(tab)) {
                  inform(t.tabs.closed(name), { title: t.actions.undo, run: () => openTab(tab) });
                }
              }}
            />
          </div>
        );
      })}
      <IconButton icon="plus" size={14} label={t.tabs.new} onClick={newWorkflow} />
    </nav>
  );
}

function ViewSwitch() {
  const view = useView((s) => s.view);
  return (
    <nav className="switch" aria-label={t.views.label}>
      {VIEWS.map(([name, icon]) => (
        <button
          key={name}
          type="button"
          title={t.views[name]}
          aria-current={view === name ? "page" : undefined}
          onClick={() => show(name)}
        >
          <Icon name={icon} size={15} />
          <span>{t.views[name]}</span>
        </button>
      ))}
    </nav>
  );
}

function ProblemsButton() {
  const count = useCheck((s) => s.problems.length);
  if (count === 0) return null;
  return (
    <button
      type="button"
      className="count bad"
      onClick={() => {
        show("graph");
        useView.setState({ panel: "problems" });
      }}
    >
      <Icon name="warning" size={14} />
      {t.panel.problems(count)}
    </button>
  );
}

function QueueButton() {
  const waiting = useRuns((s) => Object.values(s.jobs).filter((j) => !ended(j)).length);
  const open = useView((s) => s.panel === "queue" && s.view === "graph");
  return (
    <button
      type="button"
      className="count"
      aria-pressed={open}
      aria-label={`${t.actions.queue}: ${waiting}`}
      title={t.actions.queue}
      onClick={() => {
        show("graph");
        togglePanel("queue");
      }}
    >
      <Icon name="clock" size={14} />
      {waiting}
    </button>
  );
}

function RunButton() {
  const job = useTab((tab) => tab.job);
  const running = useRuns((s) => {
    const shownJob = job === null ? undefined : s.jobs[job];
    return shownJob && !ended(shownJob) ? shownJob : undefined;
  });
  const expected = useCheck(
    (s) => Object.values(s.plan).filter((p) => p.state !== "unneeded" && p.state !== "still").length,
  );
  const onChange = useView((s) => s.onChange);
  const part = running ? progress(running, Math.max(expected, Object.keys(running.nodes).length)) : 0;
  const name = useTab((tab) => tab.history.present.name || t.app.untitled);
  const percent = running ? `${Math.round(part * 100)} % · ` : ""; // seen from other tabs of the browser
  useEffect(() => {
    document.title = `${percent}${name} · ${t.app.name}`;
  }, [percent, name]);
  return (
    <div className="run">
      <IconButton
        icon="loop"
        size={15}
        label={t.run.onChange}
        aria-pressed={onChange}
        className="on-change"
        onClick={toggleOnChange}
      />
      {running && (
        <IconButton icon="stop" label={t.run.stop} className="stop" onClick={() => void cancel(running.id)} />
      )}
      <button
        type="button"
        className="run-button"
        title={t.run.hint(shown(firstKey("run")), shown("Mod"))}
        onClick={(event) => void start(event.ctrlKey || event.metaKey ? chosenNodes() : undefined, event.shiftKey)}
        style={{ "--part": part } as React.CSSProperties}
      >
        <Icon name="play" size={14} />
        <span>{t.run.run}</span>
      </button>
    </div>
  );
}
