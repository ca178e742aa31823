/** Node types, the table of what fits, and choice lists, as the server has them. */

import { create } from "zustand";
import * as api from "../api/client";
import { type Catalogue, catalogue, type NodeType, typeOf } from "../core/catalogue";
import type { Step, Workflow } from "../core/document";
import type { Fits } from "../core/fit";
import { names } from "../text";

interface Known {
  readonly types: Catalogue;
  readonly fits: Fits;
  readonly choices: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Where the pictures of models are, by what a document calls them. */
  readonly previews: Readonly<Record<string, string>>;
}

export const useCatalogue = create<Known>(() => ({ types: new Map(), fits: {}, choices: {}, previews: {} }));

export const known = (): Catalogue => useCatalogue.getState().types;
export const fits = (): Fits => useCatalogue.getState().fits;

export async function loadCatalogue(): Promise<void> {
  const [{ nodes }, { fits }, said] = await Promise.all([api.nodes(), api.types(), names()]);
  useCatalogue.setState({ types: catalogue(nodes, said), fits });
}

const asked = new Set<string>();

/** Fetch a choice list, once. */
export async function loadChoices(name: string, again = false): Promise<void> {
  if (asked.has(name) && !again) return;
  asked.add(name);
  try {
    const { values } = await api.choices(name);
    useCatalogue.setState((s) => ({ choices: { ...s.choices, [name]: values } }));
  } catch {
    asked.delete(name); // what is typed stays possible; the next look asks again
  }
}

/** Fetch where the pictures of models are. */
export async function loadPreviews(): Promise<void> {
  try {
    const { models } = await api.library();
    useCatalogue.setState({
      previews: Object.fromEntries(models.flatMap((m) => (m.preview ? [[m.source, m.preview]] : []))),
    });
  } catch {
    // a list is of use without pictures
  }
}

/** The type of a node. The same object for as long as neither the catalogue nor its definition changes. */
export function typeOfStep(step: Step, document: Workflow): NodeType {
  return typeOf(step, document, known());
}
