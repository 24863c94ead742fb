/*
 * A run that need not be executed because the same has been, or is being: found by the action key, or, while it is under way, by
 * what was asked for (docs/decisions/0721-action-key.md).
 */
import {
  actionKey,
  canonicalAction,
  imageDigest,
  inputContents,
  pendingContents,
  readPermission,
  resolveRequest,
  type Action,
  type ActionEnvironment,
  type ActionInput,
  type Metadata,
  type RequestSettings,
  type ResourceRequest,
} from '@sheaf/domain';
import type { AnyQueries } from '../accounts/users.ts';
import { findInput } from '../contents/inputs.ts';
import { linkOf } from '../contents/linked.ts';
import type { DependencyEntries } from '../contents/dependency-entries.ts';
import type { UserViewer } from '../http/viewer.ts';
import { hostEnvironment, requestedAction, sha256 } from '../runs/run-action.ts';
import { readableMetadata } from '../runs/damage.ts';
import { findBundles, permissionsOn } from './access.ts';
import { lastDigest, readyRun, runsWithCommand } from './same-result-queries.ts';
import { dependenciesOf } from './view.ts';
import type { BundleRow } from './transition.ts';

export interface WantedRun {
  readonly command: string;
  readonly metadata: Metadata;
  readonly dependencies: readonly { child_path: string; parent_uuid: string; parent_path: string }[];
}

export type SameResult =
  | { readonly kind: 'ready' | 'in-flight'; readonly run: BundleRow }
  /** Why there can be none, or undefined: nobody has done the same yet. */
  | { readonly kind: 'none'; readonly why: string | undefined };

export interface SameResultContext {
  readonly queries: AnyQueries;
  readonly entries: DependencyEntries;
  readonly settings: RequestSettings;
}

const mostHosts = 200;
/** No quota bounds what is compared. */
const noQuota = { time: 0, disk: 0 };

/**
 * The newest ready run with the same action: one of the viewer's own, else one that was executed by the server's own workers, all
 * of which the viewer may read; else the same run of the viewer that is under way.
 */
export async function findSameResult(
  context: SameResultContext,
  viewer: UserViewer,
  wanted: WantedRun,
): Promise<SameResult> {
  const request = resolveRequest(wanted.metadata, context.settings, noQuota);
  if (!request.ok) return { kind: 'none', why: request.problem };
  const inputs = await inputsOf(context, viewer, wanted.dependencies);
  if (inputs.refused !== undefined) return { kind: 'none', why: inputs.refused };
  const action = requestedAction(wanted.command, wanted.metadata, request.value, inputs.inputs);
  if (!inputs.pending) {
    const environments = await environmentsOf(context.queries, viewer, request.value);
    const keys = environments.map((environment) => actionKey({ ...action, environment }, sha256));
    const ready = await readyRun(context.queries, viewer, keys);
    if (ready !== undefined) return { kind: 'ready', run: ready };
  }
  const run = await runUnderWay(context, viewer, { ...wanted, action, request: request.value });
  return run === undefined ? { kind: 'none', why: undefined } : { kind: 'in-flight', run };
}

interface WantedInputs {
  readonly inputs: readonly ActionInput[];
  /** Some have no digest yet. */
  readonly pending: boolean;
  readonly refused: string | undefined;
}

async function inputsOf(
  { queries, entries }: SameResultContext,
  viewer: UserViewer,
  dependencies: WantedRun['dependencies'],
): Promise<WantedInputs> {
  const parents = new Map(
    (
      await findBundles(
        queries,
        dependencies.map((one) => one.parent_uuid),
      )
    ).map((row) => [row.uuid, row]),
  );
  const inputs: ActionInput[] = [];
  const holders = new Map(parents);
  const problems: string[] = [];
  let pending = false;
  for (const { child_path: key, parent_uuid: uuid, parent_path: path } of dependencies) {
    const parent = parents.get(uuid);
    if (parent === undefined) return refused(`Bundle ${uuid} not found`);
    const input = await findInput(queries, entries, parent, path);
    for (const holder of input.holders) holders.set(holder.uuid, holder);
    if (input.kind === 'nothing') problems.push(`Invalid dependency ${key}: ${input.why}.`);
    const last = input.holders.at(-1);
    if (input.kind === 'open' && last !== undefined && linkOf(last) !== undefined)
      problems.push(`${last.name}(${last.uuid}) is a link, and what is behind it may have changed.`);
    pending ||= input.kind === 'open';
    inputs.push({
      key,
      contents: input.kind === 'stored' ? inputContents(input.entry) : pendingContents(uuid, path),
    });
  }
  const permissions = await permissionsOn(queries, viewer, [...holders.values()]);
  const unreadable = [...holders.keys()].find((uuid) => (permissions.get(uuid) ?? 0) < readPermission);
  // First: what else is wrong tells what there is in them.
  if (unreadable !== undefined) return refused(`You may not read bundle ${unreadable}.`);
  const [problem] = problems;
  return problem === undefined ? { inputs, pending, refused: undefined } : refused(problem);
}

function refused(why: string): WantedInputs {
  return { inputs: [], pending: true, refused: why };
}

/** All environments in which the run might find itself, were it executed now. */
async function environmentsOf(
  queries: AnyQueries,
  viewer: UserViewer,
  request: ResourceRequest,
): Promise<ActionEnvironment[]> {
  const environments: ActionEnvironment[] = [];
  const digest = imageDigest(request.image) ?? (await lastDigest(queries, viewer, request.image));
  if (digest !== undefined) environments.push({ kind: 'image', digest });
  if (request.imageRequested) return environments;
  const hosts = await queries
    .selectFrom('worker')
    .select(['user_id', 'worker_id', 'hostname'])
    .orderBy('checkin_at', 'desc')
    .limit(mostHosts)
    .execute();
  return [...environments, ...hosts.map(hostEnvironment)];
}

/** The newest run of the viewer that asks for exactly the same and is not final. */
async function runUnderWay(
  context: SameResultContext,
  viewer: UserViewer,
  wanted: WantedRun & { readonly action: Action; readonly request: ResourceRequest },
): Promise<BundleRow | undefined> {
  const { queries } = context;
  const runs = await runsWithCommand(queries, viewer, wanted.command);
  if (runs.length === 0) return undefined;
  const dependencies = await dependenciesOf(
    queries,
    runs.map(({ uuid }) => uuid),
  );
  const text = textOf(wanted.action, wanted);
  for (const run of runs) {
    const metadata = readableMetadata(run);
    if (metadata === undefined) continue;
    const request = resolveRequest(metadata, context.settings, noQuota);
    const own = dependencies.filter((one) => one.child_uuid === run.uuid);
    if (!request.ok || own.length !== wanted.dependencies.length) continue;
    const { inputs, refused: lost } = await inputsOf(context, viewer, own);
    if (lost !== undefined || wasWrittenTo(metadata)) continue;
    const action = requestedAction(run.command ?? '', metadata, request.value, inputs);
    if (textOf(action, { metadata, request: request.value }) === text) return run;
  }
  return undefined;
}

/** Of a run that may still fail, what it may use counts as well. */
function textOf(action: Action, asked: { metadata: Metadata; request: ResourceRequest }): string {
  const { cpus, gpus, memory, disk, time } = asked.request;
  const allowFailed = asked.metadata['allow_failed_dependencies'] === true;
  return JSON.stringify([canonicalAction(action), cpus, gpus, memory, disk, time, allowFailed]);
}

function wasWrittenTo({ actions }: Metadata): boolean {
  return Array.isArray(actions) && actions.length > 0;
}
