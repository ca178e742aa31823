/** Requests to the server, as API.md and `/api/openapi.json` describe them. */

import type { NodeSchema } from "../core/catalogue";
import { type Json, tidy, type Workflow } from "../core/document";
import { t } from "../text";
import type * as made from "./types.gen";

export type Problem = made.ProblemView;
export type Planned = made.PlannedView;
export type Stored = made.WorkflowView;
export type Version = made.VersionView;
export type Result = made.ResultView;
export type Sweep = made.SweepView;
export type SweepLine = made.SweepLine;

/** What holds a document, as the editor knows it. */
type Holding<T> = Omit<T, "document"> & { readonly document: Workflow };

/** What the server refused, in its own words. */
export class Refused extends Error {
  readonly code: string;
  readonly status: number;
  readonly problems: readonly Problem[];

  constructor(status: number, code: string, message: string, problems: readonly Problem[] = []) {
    super(message);
    this.status = status;
    this.code = code;
    this.problems = problems;
  }
}

/** No answer came at all. */
export class Unreachable extends Error {}

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await answered(path, init);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** The answer to a request that was not refused. */
async function answered(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(path, init).catch((error: unknown) => {
    throw error instanceof TypeError ? new Unreachable(t.app.offline) : error;
  });
  if (response.ok) return response;
  let said: { error?: Partial<made.Error["error"]> } = {};
  try {
    said = await response.json();
  } catch {
    // a proxy in between answered: its status is all there is
  }
  const { code = "http", message = `${response.status} ${response.statusText}`, problems = [] } = said.error ?? {};
  throw new Refused(response.status, code, message, problems);
}

function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  if (body === undefined) return ask<T>(path, { method });
  return ask<T>(path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

const part = encodeURIComponent;

export const nodes = () => ask<{ nodes: Record<string, NodeSchema> }>("/api/nodes");
export const types = () => ask<made.TypesView>("/api/types");
export const library = () => ask<made.ModelList>("/api/library");
export const choices = (name: string) => ask<made.ChoicesView>(`/api/choices/${part(name)}`);

/** Check a document, given as its JSON. */
export const check = (document: string, signal: AbortSignal) =>
  ask<made.Checked>("/api/check", {
    method: "POST",
    body: `{"document": ${document}, "plan": true}`,
    headers: { "Content-Type": "application/json" },
    signal,
  });

export const submit = ({ document, ...rest }: Holding<made.Submit>) =>
  send<made.JobView>("POST", "/api/jobs", { document: tidy(document), ...rest });
export const sweep = ({ document, ...rest }: Holding<made.SubmitSweep>) =>
  send<Sweep>("POST", "/api/sweeps", { document: tidy(document), ...rest });
export const sweepSize = ({ document, ...rest }: Holding<made.SubmitSweep>, signal: AbortSignal) =>
  ask<made.SweepSize>("/api/sweeps/size", {
    method: "POST",
    body: JSON.stringify({ document: tidy(document), ...rest }),
    headers: { "Content-Type": "application/json" },
    signal,
  });
export const sweepOf = (id: string) => ask<Sweep>(`/api/sweeps/${part(id)}`);
export const sweeps = (limit: number) => ask<made.SweepList>(`/api/sweeps?limit=${limit}`);
export const cancelSweep = (id: string) => send<Sweep>("POST", `/api/sweeps/${part(id)}/cancel`);
export const jobs = (limit: number) => ask<made.JobPage>(`/api/jobs?limit=${limit}`);
export const job = (id: string) => ask<Holding<made.JobWithDocument>>(`/api/jobs/${part(id)}`);
export const cancel = (id: string) => send<made.JobView>("POST", `/api/jobs/${part(id)}/cancel`);
export const retry = (id: string) => send<made.JobView>("POST", `/api/jobs/${part(id)}/retry`);
export const prioritise = (id: string, priority: number) =>
  send<made.JobView>("PATCH", `/api/jobs/${part(id)}`, { priority });
export const queue = () => ask<made.QueueView>("/api/queue");
export const pause = (paused: boolean) =>
  send<made.QueueView>("POST", paused ? "/api/queue/pause" : "/api/queue/resume");
export const outputUrl = (id: string, node: string, port: string) =>
  `/api/jobs/${part(id)}/outputs/${part(node)}/${part(port)}`;

/** An output as it can be shown: the address of a picture in this page's memory, or words. */
export type Looked =
  | { readonly picture: string; readonly words?: never }
  | { readonly picture?: never; readonly words: string };

export async function output(id: string, node: string, port: string, signal?: AbortSignal): Promise<Looked> {
  const response = await answered(outputUrl(id, node, port), signal ? { signal } : {});
  if (response.headers.get("Content-Type") === "image/png") {
    return { picture: URL.createObjectURL(await response.blob()) };
  }
  const value: Json = await response.json();
  return { words: typeof value === "string" ? value : JSON.stringify(value, null, 1) };
}

/** Free the memory of what was shown. */
export function letGo(looked: Looked | null): void {
  if (looked?.picture) URL.revokeObjectURL(looked.picture);
}

export const upload = (file: Blob) =>
  ask<made.UploadView>("/api/uploads", {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type || "application/octet-stream" },
  });
export const uploadUrl = (name: string) => `/api/uploads/${part(name)}`;

export const workflows = () => ask<made.WorkflowList>("/api/workflows");
export const workflow = (name: string, version?: number) =>
  ask<Holding<made.WorkflowDocument>>(
    `/api/workflows/${part(name)}${version === undefined ? "" : `?version=${version}`}`,
  );
export const store = (name: string, document: Workflow) =>
  send<made.VersionView>("PUT", `/api/workflows/${part(name)}`, { document: tidy(document) });
export const forget = (name: string) => send<void>("DELETE", `/api/workflows/${part(name)}`);
export const versions = (name: string) => ask<made.VersionList>(`/api/workflows/${part(name)}/versions`);

export const results = (query: Record<string, string>) =>
  ask<made.ResultPage>(`/api/results?${new URLSearchParams(query)}`);
export const result = (id: string) => ask<Result>(`/api/results/${part(id)}`);
export const resultDocument = (id: string) => ask<Holding<made.DocumentView>>(`/api/results/${part(id)}/document`);
export const star = (id: string, starred: boolean) => send<Result>("PATCH", `/api/results/${part(id)}`, { starred });
export const discard = (id: string) => send<void>("DELETE", `/api/results/${part(id)}`);
export const resultUrl = (id: string) => `/api/results/${part(id)}/image`;
export const thumbnailUrl = (id: string) => `/api/results/${part(id)}/thumbnail`;

export const open = (file: Blob) =>
  ask<Holding<made.Opened>>("/api/open", {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type || "application/octet-stream" },
  });

export type { Json };
