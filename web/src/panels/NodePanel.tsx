import { useEffect, useRef } from "react";
import { focusNode } from "../canvas/focus";
import type { NodeType } from "../core/catalogue";
import { link } from "../core/document";
import { expose, exposedName, hide, removeOutput, renameNode, setOutput, withLook, withMode } from "../core/edits";
import { maskOn } from "../paint/masking";
import { typeOfStep } from "../state/catalogue";
import { useCheck } from "../state/check";
import { lookAt, shownOutput } from "../state/geometry";
import { edit, graphOf, select, useTab } from "../state/session";
import { openDialog, useView } from "../state/view";
import { said, t } from "../text";
import { NODE_COLOURS } from "../ui/colours";
import { Dot } from "../ui/Dot";
import { Prose } from "../ui/Prose";
import "../ui/swatches.css";
import "./node.css";

const MODES = [undefined, "bypass", "mute"] as const;

/** About the selected node: what it is, how it looks, and which of its inputs the app shows. */
export default function NodePanel() {
  const id = useTab((tab) => tab.selection.find((s) => s in graphOf(tab).nodes));
  const step = useTab((tab) => (id === undefined ? undefined : graphOf(tab).nodes[id]));
  const type = useTab((tab) => (step ? typeOfStep(step, tab.history.present) : undefined));
  if (id === undefined || !type) return <p className="quiet hint">{t.panel.noNode}</p>;
  return <About key={id} id={id} type={type} />;
}

function About({ id, type }: { id: string; type: NodeType }) {
  const graph = useTab(graphOf);
  const key = useTab((tab) => [...tab.path, id].join("/"));
  const planned = useCheck((s) => s.plan[key]);
  const inRoot = useTab((tab) => tab.path.length === 0);
  const look = graph.layout?.looks?.[id];
  const output = shownOutput(type);
  const title = useRef<HTMLInputElement>(null);
  const naming = useView((s) => s.naming);
  useEffect(() => {
    if (!naming) return;
    title.current?.select();
    useView.setState({ naming: false });
  }, [naming]);
  return (
    <div className="about">
      <h2>{type.title}</h2>
      {type.doc.split("\n\n").map((paragraph) => (
        <p key={paragraph}>
          <Prose text={paragraph} />
        </p>
      ))}
      {planned && (
        <p className="quiet">
          {t.plan[planned.state]}
          {planned.why && `: ${said(planned.why).text}`}
        </p>
      )}
      <fieldset className="segments" aria-label={t.modes.label}>
        {MODES.map((mode) => (
          <label key={mode ?? "run"}>
            <input
              type="radio"
              name="mode"
              checked={graph.nodes[id]?.mode === mode}
              onChange={() => edit(t.edits[mode ?? "mode"], (g) => withMode(g, [id], mode))}
            />
            <span>{t.modes[mode ?? "run"]}</span>
          </label>
        ))}
      </fieldset>
      <label className="stacked">
        <span>{t.panel.title}</span>
        <input
          ref={title}
          type="text"
          value={look?.title ?? ""}
          placeholder={type.title}
          onKeyDown={(event) => event.key === "Enter" && focusNode(id)}
          onChange={(event) =>
            edit(t.edits.rename, (g) => withLook(g, [id], { title: event.target.value || undefined }), `title ${id}`)
          }
        />
      </label>
      <label className="stacked">
        <span>{t.panel.id}</span>
        <input
          type="text"
          defaultValue={id}
          spellCheck={false}
          onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
          onBlur={(event) => {
            let made = id;
            const wanted = event.target.value;
            edit(t.edits.rename, (g) => {
              const renamed = renameNode(g, id, wanted);
              made = renamed.id;
              return renamed.graph;
            });
            if (made !== id) select([made]);
          }}
        />
      </label>
      <fieldset className="swatches">
        <legend>{t.panel.colour}</legend>
        {[undefined, ...Object.keys(NODE_COLOURS)].map((name) => (
          <label key={name ?? ""} title={name ?? t.panel.noColour}>
            <input
              type="radio"
              name="colour"
              aria-label={name ?? t.panel.noColour}
              checked={look?.colour === name}
              onChange={() => edit(t.edits.look, (g) => withLook(g, [id], { colour: name }))}
            />
            <span style={name ? ({ "--hue": NODE_COLOURS[name] } as React.CSSProperties) : undefined} />
          </label>
        ))}
      </fieldset>
      {output && (
        <label className="check">
          <input
            type="checkbox"
            checked={look?.preview === true}
            onChange={(event) =>
              edit(t.edits.look, (g) => withLook(g, [id], { preview: event.target.checked ? true : undefined }))
            }
          />
          <span>{t.node.preview}</span>
        </label>
      )}
      <h3>{t.panel.inputs}</h3>
      <ul className="ports">
        {type.inputs.map((input) => {
          const target = { node: id, port: input.name };
          const exposed = exposedName(graph, target) !== undefined;
          return (
            <li key={input.name}>
              <div className="port-line">
                <Dot type={input.type} />
                <strong>{input.title}</strong>
                <span className="quiet">{input.type}</span>
                {input.widget && (
                  <button
                    type="button"
                    className="button tiny"
                    aria-pressed={exposed}
                    aria-label={`${exposed ? t.panel.unexpose : t.panel.expose}: ${input.title}`}
                    onClick={() =>
                      exposed
                        ? edit(t.edits.hide, (g) => hide(g, target))
                        : edit(t.edits.expose, (g) => expose(g, target, capital(input.title)))
                    }
                  >
                    {t.views.app}
                  </button>
                )}
                {input.widget && inRoot && (
                  <button
                    type="button"
                    className="button tiny"
                    aria-label={`${t.sweep.this} ${input.title}`}
                    onClick={() => openDialog({ kind: "sweep", target: `${id}.${input.name}` })}
                  >
                    {t.sweep.short}
                  </button>
                )}
              </div>
              {input.doc && (
                <p className="quiet">
                  <Prose text={input.doc} />
                </p>
              )}
            </li>
          );
        })}
      </ul>
      {type.outputs.length > 0 && <h3>{t.panel.outputs}</h3>}
      <ul className="ports">
        {type.outputs.map((o) => {
          const source = { node: id, port: o.name };
          const named = Object.values(graph.outputs ?? {}).some((l) => l.$from === link(source).$from);
          return (
            <li key={o.name}>
              <div className="port-line">
                <Dot type={o.type} />
                <strong>{o.title}</strong>
                <span className="quiet">{o.type}</span>
                {lookAt(o.type) && (
                  <button
                    type="button"
                    className="button tiny"
                    aria-label={`${t.panel.look}: ${o.title}`}
                    onClick={() =>
                      openDialog({
                        kind: "look",
                        node: key,
                        port: o.name,
                        alt: `${look?.title || type.title}: ${o.title}`,
                      })
                    }
                  >
                    {t.panel.look}
                  </button>
                )}
                {o.type === "Image" && (
                  <button
                    type="button"
                    className="button tiny"
                    aria-label={`${t.paint.mask}: ${o.title}`}
                    onClick={() => maskOn(id, o.name)}
                  >
                    {t.panel.mask}
                  </button>
                )}
                <button
                  type="button"
                  className="button tiny"
                  aria-pressed={named}
                  title={t.panel.asOutput}
                  aria-label={`${t.panel.asOutput}: ${o.title}`}
                  onClick={() => edit(t.edits.output, (g) => (named ? removeOutput(g, source) : setOutput(g, source)))}
                >
                  {t.views.app}
                </button>
              </div>
              {o.doc && (
                <p className="quiet">
                  <Prose text={o.doc} />
                </p>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
