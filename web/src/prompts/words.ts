/** What prompts are completed from: words of the open document and of the pictures made lately, and files by name. */

import * as api from "../api/client";
import { textsOf, vocabulary } from "../core/completion";
import { known as types } from "../state/catalogue";
import { currentDocument } from "../state/session";

const LATELY = "200";
const STALE = 60_000;

let known: { at: number; prompts: readonly string[] } = { at: 0, prompts: [] };

export async function words(): Promise<string[]> {
  if (Date.now() - known.at > STALE) {
    const found = await api.results({ limit: LATELY }).catch(() => null); // what is open still has words
    if (found) known = { at: Date.now(), prompts: found.results.flatMap((r) => [r.prompt, r.negative]) };
  }
  return vocabulary([...textsOf(currentDocument(), types()), ...known.prompts]);
}

/** A choice list as it is now: files come and go. */
export async function files(list: string): Promise<[name: string, about: string][]> {
  const found = await api.choices(list).catch(() => null); // words can be completed without
  return Object.entries(found?.values ?? {});
}
