/** The words that prompts are completed from: of the open document, and of the pictures made lately. */

import * as api from "../api/client";
import { textsOf, vocabulary } from "../core/completion";
import { currentDocument } from "./session";

const LATELY = "200";
const STALE = 60_000;

let known: { at: number; prompts: readonly string[] } = { at: 0, prompts: [] };

export async function words(): Promise<string[]> {
  if (Date.now() - known.at > STALE) {
    const found = await api.results({ limit: LATELY }).catch(() => null); // what is open still has words
    if (found) known = { at: Date.now(), prompts: found.results.flatMap((r) => [r.prompt, r.negative]) };
  }
  return vocabulary([...textsOf(currentDocument()), ...known.prompts]);
}
