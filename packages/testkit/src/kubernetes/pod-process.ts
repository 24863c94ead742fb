/** What a node does with a pod of the scripted cluster: its one container is a process of this machine, without any isolation. */
import { startProcess, type StartedProcess } from '../processes.ts';

interface Named {
  readonly name: string;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes?: readonly (Named & { readonly hostPath?: { readonly path: string } })[];
  readonly restartPolicy?: string;
}

interface Container extends Named {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly env?: readonly (Named & {
    readonly value?: string;
    readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
  })[];
  readonly volumeMounts?: readonly (Named & { readonly mountPath: string; readonly subPath?: string })[];
}

/** @throws Error what the real API would refuse */
export function checkSpec(spec: PodSpec): void {
  const [container] = spec.containers;
  if (container === undefined || container.image === '') throw new Error('spec.containers: Required value');
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  for (const mount of container.volumeMounts ?? []) {
    if (!volumes.has(mount.name)) throw new Error(`volumeMounts: Not found: "${mount.name}"`);
    if (mount.subPath?.startsWith('/') === true) throw new Error('subPath: must be a relative path');
  }
}

/** @param node name of the node it is on */
export function startPodProcess(spec: PodSpec, node: string): StartedProcess {
  const [container] = spec.containers;
  if (container === undefined) throw new Error('no container');
  const env: Record<string, string> = {};
  for (const { name, value, valueFrom } of container.env ?? []) {
    env[name] = valueFrom?.fieldRef?.fieldPath === 'spec.nodeName' ? node : expanded(value ?? '', env);
  }
  const all = [...(container.command ?? []), ...(container.args ?? [])];
  const [program = '', ...words] = all.map((word) => expanded(word, env));
  const cwd = container.workingDir === undefined ? undefined : hostPathOf(spec, container.workingDir);
  return startProcess(program, words, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** As the node does it: `$(NAME)` is the variable where there is one, and `$$` is `$`. */
function expanded(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(?:\$|\((?<name>[^)]*)\))/g, (found, name: string | undefined) =>
    name === undefined ? '$' : (env[name] ?? found),
  );
}

/** Where a path of the container is on this machine. */
function hostPathOf({ containers, volumes = [] }: PodSpec, path: string): string | undefined {
  const mount = containers[0]?.volumeMounts?.find(({ mountPath }) => mountPath === path);
  const host = volumes.find(({ name }) => name === mount?.name)?.hostPath?.path;
  if (host === undefined) return undefined;
  return mount?.subPath === undefined ? host : `${host}/${mount.subPath}`;
}
