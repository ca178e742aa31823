import { useCallback, useEffect, useRef, useState } from "react";
import * as api from "../api/client";
import { openDocument, takeLinked } from "../state/files";
import { useRuns } from "../state/runs";
import { complain, show } from "../state/view";
import { t } from "../text";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { IconButton } from "../ui/IconButton";
import { Compare } from "./Compare";
import "./views.css";

const PAGE = 60;
const PAUSE = 200;

/** Every picture that was made: searched by the words of its prompt, starred, compared, opened again. */
export default function GalleryView() {
  const [query, setQuery] = useState("");
  const [starred, setStarred] = useState(false);
  const [model, setModel] = useState("");
  const [models, setModels] = useState<readonly string[]>([]);
  const [items, setItems] = useState<readonly api.Result[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [asked, setAsked] = useState(false);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<string | null>(null);
  const [comparing, setComparing] = useState(false);
  const made = useRuns((s) => Object.values(s.jobs).reduce((sum, j) => sum + j.results.length, 0));
  const turn = useRef(0);

  const load = useCallback(
    async (before: string | null) => {
      const own = ++turn.current;
      const params: Record<string, string> = { limit: String(PAGE) };
      if (query) params.q = query;
      if (starred) params.starred = "1";
      if (model) params.model = model;
      if (before !== null) params.before = before;
      try {
        const found = await api.results(params);
        if (own !== turn.current) return;
        setItems((old) => (before === null ? found.results : [...old, ...found.results]));
        setNext(found.next === null || found.next === undefined ? null : String(found.next));
        setModels((old) => [...new Set([...old, ...found.results.map((r) => r.model)])].filter(Boolean).sort());
        setAsked(true);
      } catch (error) {
        complain(error);
      }
    },
    [query, starred, model],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new picture is a reason to look again
  useEffect(() => {
    const timer = setTimeout(() => void load(null), PAUSE);
    return () => clearTimeout(timer);
  }, [load, made]);

  const change = (id: string, how: Partial<api.Result>) =>
    setItems((all) => all.map((r) => (r.id === id ? { ...r, ...how } : r)));
  const star = (r: api.Result) => {
    change(r.id, { starred: !r.starred });
    api.star(r.id, !r.starred).catch((error) => {
      change(r.id, { starred: r.starred });
      complain(error);
    });
  };
  const toggle = (id: string) =>
    setChosen((now) => (now.includes(id) ? now.filter((c) => c !== id) : [...now, id].slice(-2)));
  const at = items.findIndex((r) => r.id === open);
  const shown = items[at];
  const [a, b] = chosen.map((id) => items.find((r) => r.id === id));

  return (
    <div className="gallery">
      <div className="gallery-bar">
        <label className="search">
          <Icon name="search" size={14} />
          <input
            type="search"
            aria-label={t.gallery.search}
            placeholder={t.gallery.search}
            value={query}
            onChange={(event) => setQuery(event.target.value)}
          />
        </label>
        <label className="check">
          <input type="checkbox" checked={starred} onChange={(event) => setStarred(event.target.checked)} />
          <span>{t.gallery.starred}</span>
        </label>
        <select aria-label={t.gallery.model} value={model} onChange={(event) => setModel(event.target.value)}>
          <option value="">{t.gallery.anyModel}</option>
          {models.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <div className="gallery-compare">
          <span className="quiet">
            {chosen.length > 0 ? t.gallery.selected(chosen.length) : items.length > 1 && t.gallery.two}
          </span>
          <button type="button" className="button" disabled={!a || !b} onClick={() => setComparing(true)}>
            {t.gallery.compare}
          </button>
        </div>
      </div>
      {items.length === 0 && asked && (
        <p className="quiet hint">{query || starred || model ? t.gallery.nothing : t.gallery.empty}</p>
      )}
      <ul className="gallery-grid" aria-label={t.gallery.results}>
        {items.map((r) => (
          <li key={r.id} className={chosen.includes(r.id) ? "chosen" : ""}>
            <button
              type="button"
              className="gallery-picture"
              aria-label={r.prompt || r.name}
              onClick={() => setOpen(r.id)}
            >
              <img src={r.thumbnail ?? r.url} alt="" loading="lazy" />
            </button>
            <input
              type="checkbox"
              aria-label={t.gallery.choose(r.prompt || r.name)}
              checked={chosen.includes(r.id)}
              onChange={() => toggle(r.id)}
            />
            <IconButton
              icon="star"
              size={14}
              className={r.starred ? "starred" : ""}
              aria-pressed={r.starred}
              label={r.starred ? t.gallery.unstar : t.gallery.star}
              onClick={() => star(r)}
            />
          </li>
        ))}
      </ul>
      {next !== null && (
        <button type="button" className="button more" onClick={() => void load(next)}>
          {t.gallery.more}
        </button>
      )}
      {shown && (
        <Dialog label={shown.prompt || shown.name} className="result" onClose={() => setOpen(null)}>
          <Single
            key={shown.id}
            result={shown}
            onStar={() => star(shown)}
            onStep={(by) => setOpen(items[at + by]?.id ?? shown.id)}
            onClose={() => setOpen(null)}
            onRemoved={() => {
              setItems((all) => all.filter((r) => r.id !== shown.id));
              setOpen(null);
            }}
          />
        </Dialog>
      )}
      {comparing && a && b && <Compare first={a} second={b} onClose={() => setComparing(false)} />}
    </div>
  );
}

interface SingleProps {
  readonly result: api.Result;
  readonly onStar: () => void;
  readonly onStep: (by: 1 | -1) => void;
  readonly onClose: () => void;
  readonly onRemoved: () => void;
}

function Single({ result, onStar, onStep, onClose, onRemoved }: SingleProps) {
  const [sure, setSure] = useState(false);
  const openWorkflow = async () => {
    try {
      const found = await api.resultDocument(result.id);
      onClose();
      await openDocument(found.document);
    } catch (error) {
      complain(error);
    }
  };
  const use = async () => {
    if (!(await takeLinked(result.url, null))) return;
    onClose();
    show("graph");
  };
  const remove = async () => {
    if (!sure) {
      setSure(true);
      return;
    }
    try {
      await api.discard(result.id);
      onRemoved();
    } catch (error) {
      complain(error);
    }
  };
  const facts: readonly (readonly [string, string])[] = [
    [t.gallery.negative, result.negative],
    [t.gallery.seed, result.seed === null ? "" : String(result.seed)],
    [t.gallery.model, result.model],
    [t.gallery.size, `${result.width} × ${result.height}`],
    [t.gallery.workflow, result.workflow],
  ];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys do what the two buttons do
    <div
      className="single"
      onKeyDown={(event) => {
        if (event.key === "ArrowRight") onStep(1);
        if (event.key === "ArrowLeft") onStep(-1);
      }}
    >
      <div className="single-picture">
        <img src={result.url} alt={result.prompt || result.name} />
      </div>
      <div className="single-about">
        <h2>{result.prompt || result.name}</h2>
        <dl>
          {facts
            .filter(([, value]) => value)
            .map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
        </dl>
        <button type="button" className="button primary" onClick={() => void openWorkflow()}>
          {t.gallery.open}
        </button>
        <button type="button" className="button" onClick={() => void use()}>
          {t.gallery.use}
        </button>
        <a className="button" href={result.url} download>
          {t.gallery.download}
        </a>
        <button type="button" className="button" aria-pressed={result.starred} onClick={onStar}>
          {result.starred ? t.gallery.unstar : t.gallery.star}
        </button>
        <button type="button" className="button danger" onClick={() => void remove()}>
          {sure ? t.gallery.sure : t.gallery.remove}
        </button>
        <div className="single-steps">
          <IconButton icon="left" label={t.gallery.previous} onClick={() => onStep(-1)} />
          <IconButton icon="right" label={t.gallery.next} onClick={() => onStep(1)} />
          <IconButton icon="close" label={t.gallery.close} onClick={onClose} />
        </div>
      </div>
    </div>
  );
}
