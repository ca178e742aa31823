/** Made by `make types` from the server's declarations. Do not edit. */

import type { Json } from "../core/document";

export type Answer = {
  readonly job: JobView;
  readonly outputs: Readonly<Record<string, OutputView>>;
  readonly results: readonly ResultLink[];
};

export type AxisView = {
  readonly name: string;
  readonly values: readonly Json[];
};

export type CellView = {
  readonly place: readonly number[];
  readonly inputs: Readonly<Record<string, Json>>;
  readonly job: JobView;
};

export type Check = {
  readonly document: Json;
  readonly inputs?: Readonly<Record<string, Json>>;
  readonly plan?: boolean;
  readonly targets?: readonly string[];
};

export type Checked = {
  readonly problems: readonly ProblemView[];
  readonly facts?: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;
  readonly plan?: readonly PlannedView[] | null;
};

export type ChoicesView = {
  readonly values: Readonly<Record<string, string>>;
};

export type DocumentView = {
  readonly document: Json;
};

export type Error = {
  readonly error: {
    /** Stable name of the reason. */
    readonly code: string;
    readonly message: string;
    readonly problems?: readonly ProblemView[];
  };
};

export type FitView = {
  readonly how: string;
  readonly mapped: boolean;
  readonly lifted: boolean;
};

export type Health = {
  readonly status: "ok";
  readonly version: string;
};

/** An exposed input: its JSON Schema (with `x-type`, `x-widget`, `x-choices`) and the value it has now. */
export type InputView = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly schema: Readonly<Record<string, Json>>;
  readonly value: Json;
};

export type JobPage = {
  readonly jobs: readonly JobView[];
  readonly next: number | null;
};

export type JobView = {
  readonly id: string;
  readonly number: number;
  readonly state: "pending" | "running" | "done" | "failed" | "cancelled";
  readonly name: string;
  readonly workflow: string;
  readonly priority: number;
  readonly client: string;
  readonly created: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly error: string | null;
  readonly attempts: number;
  readonly kills: number;
  readonly nodes: Readonly<Record<string, NodeView>>;
  readonly results: readonly string[];
  readonly inputs: Readonly<Record<string, Json>>;
  readonly targets: readonly string[];
};

export type JobWithDocument = {
  readonly id: string;
  readonly number: number;
  readonly state: "pending" | "running" | "done" | "failed" | "cancelled";
  readonly name: string;
  readonly workflow: string;
  readonly priority: number;
  readonly client: string;
  readonly created: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly error: string | null;
  readonly attempts: number;
  readonly kills: number;
  readonly nodes: Readonly<Record<string, NodeView>>;
  readonly results: readonly string[];
  readonly inputs: Readonly<Record<string, Json>>;
  readonly targets: readonly string[];
  readonly document: Json;
};

export type ModelList = {
  readonly models: readonly ModelView[];
};

export type ModelView = {
  readonly source: string;
  readonly kind: string;
  readonly what: string;
  readonly bytes: number;
  /** Where its picture is: made by `nodegraph models preview`, or beside its file. */
  readonly preview: string | null;
};

export type NodeView = {
  readonly state: string;
  readonly step?: number | null;
  readonly total?: number | null;
  readonly seconds?: number | null;
  readonly ended?: number | null;
  readonly memory?: number | null;
  readonly error?: string | null;
  readonly port?: string | null;
};

export type Opened = {
  readonly document: Json;
  readonly notes: readonly ProblemView[];
};

/** An output of a finished job: where it is, and the value itself where it is plain. */
export type OutputView = {
  readonly type: string;
  readonly url: string;
};

export type PlannedView = {
  readonly node: string;
  readonly type: string;
  readonly state: "run" | "memory" | "disk" | "unneeded" | "always" | "still";
  readonly why: string;
  readonly weights: number;
  readonly activations: number;
};

export type ProblemView = {
  readonly code: string;
  readonly node: string;
  readonly port: string | null;
  readonly message: string;
};

export type Put = {
  readonly document: Json;
};

export type QueueView = {
  readonly paused: boolean;
  readonly pending: number;
  readonly running: number;
};

export type Reorder = {
  readonly priority: number;
};

export type ResultLink = {
  readonly id: string;
  readonly url: string;
};

export type ResultPage = {
  readonly results: readonly ResultView[];
  readonly next: number | null;
};

export type ResultView = {
  readonly id: string;
  readonly number: number;
  readonly job: string;
  readonly node: string;
  readonly name: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly bytes: number;
  readonly prompt: string;
  readonly negative: string;
  readonly seed: number | null;
  readonly model: string;
  readonly workflow: string;
  readonly created: number;
  readonly starred: boolean;
  readonly url: string;
  readonly thumbnail: string | null;
};

export type Star = {
  readonly starred: boolean;
};

/** A job to do: a document, or the name of a stored workflow or example. */
export type Submit = {
  readonly document?: Json;
  readonly workflow?: string | null;
  readonly inputs?: Readonly<Record<string, Json>>;
  readonly targets?: readonly string[];
  readonly priority?: number;
  readonly client?: string;
  /** The same key is the same job. */
  readonly key?: string | null;
  /** Sent the job when it has ended. */
  readonly webhook?: string | null;
};

/** A document, and the values of the inputs that vary. The same key is the same sweep. */
export type SubmitSweep = {
  readonly document?: Json;
  readonly workflow?: string | null;
  readonly inputs?: Readonly<Record<string, Json>>;
  readonly targets?: readonly string[];
  readonly priority?: number;
  readonly client?: string;
  /** The same key is the same job. */
  readonly key?: string | null;
  /** Sent the job when it has ended. */
  readonly webhook?: string | null;
  /** Exposed inputs or node.input, with their values: a list, or as the command line takes them, such as 4,7,10 or 0..3; of several lines each counts. */
  readonly axes: Readonly<Record<string, string | readonly Json[]>>;
  readonly mode?: "product" | "zip";
};

export type SweepLine = {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly axes: readonly AxisView[];
  readonly jobs: readonly string[];
};

export type SweepList = {
  readonly sweeps: readonly SweepLine[];
};

export type SweepSize = {
  readonly cells: number;
  readonly axes: readonly AxisView[];
};

export type SweepView = {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly axes: readonly AxisView[];
  readonly cells: readonly CellView[];
};

export type TypesView = {
  readonly types: readonly string[];
  readonly fits: Readonly<Record<string, Readonly<Record<string, FitView>>>>;
};

export type UploadView = {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
};

export type VersionList = {
  readonly versions: readonly VersionView[];
};

export type VersionView = {
  readonly version: number;
  readonly created: number;
};

export type WorkerView = {
  readonly number: number;
  readonly device: string;
  readonly host: string;
  readonly process: number | null;
  readonly ready: boolean;
  readonly job: string | null;
  readonly done: number;
  readonly deaths: number;
  readonly died_of: string | null;
  readonly holds: readonly string[];
};

export type WorkersView = {
  readonly workers: readonly WorkerView[];
};

export type WorkflowDocument = {
  readonly name: string;
  readonly version: number;
  readonly template: boolean;
  readonly document: Json;
};

export type WorkflowList = {
  readonly workflows: readonly WorkflowView[];
};

export type WorkflowView = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly version: number;
  readonly updated: number;
  readonly template: boolean;
  readonly inputs: readonly InputView[];
  readonly outputs: readonly string[];
  readonly thumbnail?: string | null;
};

export type Zip = {
  readonly ids: readonly string[];
};
