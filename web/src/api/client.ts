/** Requests to the server, as API.md and `/api/openapi.json` describe them. */

import type { NodeSchema } from "../core/catalogue";
import { type Json, tidy, type Workflow } from "../core/document";
import type { Fits } from "../core/fit";
import { t } from "../text";

export interface Problem {
  readonly code: string;
  readonly node: string;
  readonly port: string | null;
  readonly message: string;
}

export interface Planned {
  readonly node: string;
  readonly type: string;
  readonly state: "run" | "memory" | "disk" | "unneeded" | "always" | "still";
  readonly why: string;
}

export interface Stored {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly version: number;
  readonly updated: number | null;
  readonly template: boolean;
}

export interface Version {
  readonly version: number;
  readonly created: number;
}

export interface Result {
  readonly id: string;
  readonly job: string;
  readonly node: string;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly prompt: string;
  readonly negative: string;
  readonly seed: number | null;
  readonly model: string;
  readonly workflow: string;
  readonly created: number;
  readonly starred: boolean;
  readonly url: string;
  readonly thumbnail: string | null;
}

export interface Upload {
  readonly name: string;
  readonly width?: number;
  readonly height?: number;
  readonly bytes: number;
}

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
  const response = await fetch(path, init).catch((error: unknown) => {
    throw error instanceof TypeError ? new Unreachable(t.app.offline) : error;
  });
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  let said: { error?: { code?: string; message?: string; problems?: Problem[] } } = {};
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
type Raw = Record<string, unknown>;

export const nodes = () => ask<{ nodes: Record<string, NodeSchema> }>("/api/nodes");
export const types = () => ask<{ types: string[]; fits: Fits }>("/api/types");
export const choices = (name: string) => ask<{ values: Record<string, string> }>(`/api/choices/${part(name)}`);

export const check = (document: Workflow, signal: AbortSignal) =>
  ask<{ problems: Problem[]; plan?: Planned[] }>("/api/check", {
    method: "POST",
    body: JSON.stringify({ document: tidy(document), plan: true }),
    headers: { "Content-Type": "application/json" },
    signal,
  });

export interface Submission {
  readonly document: Workflow;
  readonly targets?: readonly string[];
  readonly priority?: number;
  readonly client?: string;
  readonly key?: string;
}

export const submit = ({ document, ...rest }: Submission) =>
  send<Raw>("POST", "/api/jobs", { document: tidy(document), ...rest });
export interface SweepAsk {
  readonly document: Workflow;
  readonly axes: Readonly<Record<string, string>>;
  readonly client?: string;
  readonly key?: string;
}

export interface SweepLine {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly axes: readonly { readonly name: string; readonly values: readonly Json[] }[];
}

export interface Sweep extends SweepLine {
  readonly cells: readonly {
    readonly place: readonly number[];
    readonly inputs: Readonly<Record<string, Json>>;
    readonly job: Raw;
  }[];
}

export const sweep = ({ document, ...rest }: SweepAsk) =>
  send<Sweep>("POST", "/api/sweeps", { document: tidy(document), ...rest });
export const sweepSize = ({ document, ...rest }: SweepAsk, signal: AbortSignal) =>
  ask<{ cells: number }>("/api/sweeps/size", {
    method: "POST",
    body: JSON.stringify({ document: tidy(document), ...rest }),
    headers: { "Content-Type": "application/json" },
    signal,
  });
export const sweepOf = (id: string) => ask<Sweep>(`/api/sweeps/${part(id)}`);
export const sweeps = (limit: number) => ask<{ sweeps: SweepLine[] }>(`/api/sweeps?limit=${limit}`);
export const cancelSweep = (id: string) => send<Sweep>("POST", `/api/sweeps/${part(id)}/cancel`);
export const jobs = (limit: number) => ask<{ jobs: Raw[] }>(`/api/jobs?limit=${limit}`);
export const job = (id: string) => ask<Raw & { document?: Workflow }>(`/api/jobs/${part(id)}`);
export const cancel = (id: string) => send<Raw>("POST", `/api/jobs/${part(id)}/cancel`);
export const retry = (id: string) => send<Raw>("POST", `/api/jobs/${part(id)}/retry`);
export const prioritise = (id: string, priority: number) => send<Raw>("PATCH", `/api/jobs/${part(id)}`, { priority });
export const queue = () => ask<{ paused: boolean }>("/api/queue");
export const pause = (paused: boolean) => send<Raw>("POST", paused ? "/api/queue/pause" : "/api/queue/resume");
export const outputUrl = (id: string, node: string, port: string) =>
  `/api/jobs/${part(id)}/outputs/${part(node)}/${part(port)}`;

export const upload = (file: Blob) =>
  ask<Upload>("/api/uploads", {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type || "application/octet-stream" },
  });
export const uploadUrl = (name: string) => `/api/uploads/${part(name)}`;

export const workflows = () => ask<{ workflows: Stored[] }>("/api/workflows");
export const workflow = (name: string, version?: number) =>
  ask<{ name: string; version: number; document: Workflow }>(
    `/api/workflows/${part(name)}${version === undefined ? "" : `?version=${version}`}`,
  );
export const store = (name: string, document: Workflow) =>
  send<{ version: number }>("PUT", `/api/workflows/${part(name)}`, { document: tidy(document) });
export const forget = (name: string) => send<void>("DELETE", `/api/workflows/${part(name)}`);
export const versions = (name: string) => ask<{ versions: Version[] }>(`/api/workflows/${part(name)}/versions`);

export const results = (query: Record<string, string>) =>
  ask<{ results: Result[]; next: string | number | null }>(`/api/results?${new URLSearchParams(query)}`);
export const result = (id: string) => ask<Result>(`/api/results/${part(id)}`);
export const resultDocument = (id: string) =>
  ask<Workflow | { document: Workflow }>(`/api/results/${part(id)}/document`);
export const star = (id: string, starred: boolean) => send<Raw>("PATCH", `/api/results/${part(id)}`, { starred });
export const discard = (id: string) => send<void>("DELETE", `/api/results/${part(id)}`);
export const resultUrl = (id: string) => `/api/results/${part(id)}/image`;
export const thumbnailUrl = (id: string) => `/api/results/${part(id)}/thumbnail`;

export const open = (file: Blob) =>
  ask<{ document: Workflow; notes: string[] }>("/api/open", {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type || "application/octet-stream" },
  });

export type { Json };
