/** Opening and saving documents, and what to do with files that are dropped. */

import * as api from "../api/client";
import { EMPTY, type Point, tidy, type Workflow } from "../core/document";
import { addNode, place, setValue } from "../core/edits";
import { WIDTH } from "../core/sizes";
import { t } from "../text";
import { known } from "./catalogue";
import { around, boxes, grownBoxes, overlaps } from "./geometry";
import { change, current, currentDocument, currentGraph, edit, newTab, openTab, useSession } from "./session";
import { announce, complain, inform, openDialog, show, useView } from "./view";

/** Open a document in a tab of its own; one that was laid out for other node sizes is arranged. */
export async function openDocument(
  document: Workflow,
  stored: string | null = null,
  notes: readonly api.Problem[] = [],
): Promise<void> {
  const { arranged, placed } = await import("../core/layout");
  let ready = { ...document, ...placed(document) } as Workflow;
  if (!document.layout?.nodes || overlaps(ready, ready)) {
    const sizes = grownBoxes(ready, ready);
    const ids = Object.keys(ready.nodes);
    ready = place(
      ready,
      await arranged(ready, ids, (id) => sizes.get(id) ?? { width: 0, height: 0 }, true),
    ) as Workflow;
  }
  openTab(newTab(ready, stored, notes));
  show("graph");
}

export async function openStored(name: string, template: boolean, version?: number): Promise<void> {
  try {
    const { document } = await api.workflow(name, version);
    await openDocument(document, template ? null : name);
  } catch (error) {
    complain(error);
  }
}

export function newWorkflow(): void {
  openTab(newTab({ ...EMPTY }));
  show("graph");
}

/** Save under the name the document has, or ask for one. */
export async function save(): Promise<void> {
  const { stored } = current();
  if (stored === null) openDialog({ kind: "save" });
  else await saveAs(stored);
}

export async function saveAs(name: string): Promise<void> {
  const tab = current();
  const document = tab.history.present;
  try {
    const { version } = await api.store(name, document);
    change(tab.id, (now) => ({ ...now, stored: name, saved: document }));
    inform(t.files.saved(name, version));
  } catch (error) {
    complain(error);
  }
}

/** Remove a workflow from the server with all its versions. What is open of it stays, as one that is not saved. */
export async function forget(name: string): Promise<void> {
  await api.forget(name);
  for (const tab of useSession.getState().tabs) {
    if (tab.stored === name) change(tab.id, (now) => ({ ...now, stored: null, saved: EMPTY }));
  }
  inform(t.files.removed(name));
}

export function pickFile(): void {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".json,.txt,.png,.webp,.jpg,.jpeg,image/*,application/json,text/plain";
  input.onchange = () => void openFile(input.files?.[0], null);
  input.click();
}

/** Open a file as a workflow. A picture that holds none becomes an input, at a point of the graph. */
export async function openFile(file: File | undefined, at: Point | null): Promise<void> {
  if (!file) return;
  try {
    const { document, notes } = await api.open(file);
    const name = document.name || file.name.replace(/\.[^.]*$/, "");
    await openDocument({ ...document, name }, null, notes);
    if (notes.length === 0) announce(t.edits.open);
    else
      inform(t.files.notes(notes.length), { title: t.sweep.show, run: () => useView.setState({ panel: "problems" }) });
  } catch (error) {
    if (!file.type.startsWith("image/")) {
      complain(error);
      return;
    }
    await takePicture(file, at);
    inform(t.files.usePicture);
  }
}

/** Use a picture of this server's as an input; where a small one was taken, its large one. Whether it could be fetched. */
export async function takeLinked(link: string, at: Point | null): Promise<boolean> {
  try {
    await takePicture(await (await fetch(link.replace(/\/thumbnail$/, "/image"))).blob(), at);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/** Upload a picture and put it into the graph. */
export async function takePicture(file: Blob, at: Point | null): Promise<void> {
  try {
    const { name } = await api.upload(file);
    putPicture(name, at);
  } catch (error) {
    complain(error);
  }
}

/** Put an uploaded picture into the node that loads one, the selected or the only one; otherwise, or where a point
 * is given, into a new one, by default to the left of all. */
function putPicture(name: string, at: Point | null): void {
  const loader = [...known().values()].find(
    (type) =>
      type.outputs.some((o) => o.type === "Image") &&
      type.inputs.some((i) => i.widget?.kind === "file" && i.widget.holds === "image"),
  );
  const port = loader?.inputs.find((i) => i.widget?.kind === "file" && i.widget.holds === "image")?.name;
  if (!loader || port === undefined) return;
  const existing = Object.entries(currentGraph().nodes).filter(([, s]) => s.type === loader.id);
  const chosen = existing.find(([id]) => current().selection.includes(id)) ?? (existing.length === 1 && existing[0]);
  if (at === null && chosen) {
    edit(t.edits.value, (graph) => setValue(graph, { node: chosen[0], port }, name));
  } else {
    const left = around(boxes(currentGraph(), currentDocument()).values());
    const free: Point = left ? [left.x - WIDTH - 64, left.y] : [0, 0];
    edit(t.edits.add, (graph) => addNode(graph, loader, at ?? free, { [port]: name }).graph);
  }
}

/** The document as its file holds it. */
export function documentText(): string {
  return `${JSON.stringify(tidy(currentDocument()), null, 2)}\n`;
}
