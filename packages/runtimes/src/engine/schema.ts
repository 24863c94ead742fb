/** The parts of the engine's answers that we rely on (Docker Engine API 1.40 and later, Podman's copy of it included). */
import { z } from 'zod';

export const Version = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string().optional(),
  /** Such as `amd64`. */
  Arch: z.string().nullish(),
  Components: z.array(z.object({ Name: z.string() })).nullish(),
});
export type Version = z.infer<typeof Version>;

export const Info = z.object({
  SecurityOptions: z.array(z.string()).nullish(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  DefaultRuntime: z.string().nullish(),
  CgroupVersion: z.string().nullish(),
  /** `cgroupfs` or `systemd`. */
  CgroupDriver: z.string().nullish(),
  /** Of the machine. */
  Name: z.string().nullish(),
  KernelVersion: z.string().nullish(),
  MemoryLimit: z.boolean().nullish(),
  RegistryConfig: z
    .object({ IndexConfigs: z.record(z.string(), z.object({ Secure: z.boolean().nullish() })).nullish() })
    .nullish(),
});
export type Info = z.infer<typeof Info>;

export const Image = z.object({
  Id: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  RepoDigests: z.array(z.string()).nullish(),
  Size: z.number(),
  Architecture: z.string().nullish(),
  Config: z.object({ Env: z.array(z.string()).nullish() }).nullish(),
});
export const ImageList = z.array(Image);
export type Image = z.infer<typeof Image>;

export const Distribution = z.object({
  Descriptor: z.object({ digest: z.string(), size: z.number().optional() }),
});

export const Exec = z.object({ Running: z.boolean(), ExitCode: z.number().nullish() });
export type Exec = z.infer<typeof Exec>;

export const Created = z.object({ Id: z.string() });

export const Waited = z.object({ StatusCode: z.number() });

export const Container = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Status: z.string(),
    Running: z.boolean(),
    Pid: z.number(),
    OOMKilled: z.boolean().nullish(),
    ExitCode: z.number(),
    Error: z.string().nullish(),
    StartedAt: z.string(),
    FinishedAt: z.string(),
  }),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
  NetworkSettings: z.object({
    Networks: z.record(z.string(), z.object({ IPAddress: z.string().nullish() })).nullish(),
  }),
});
export type Container = z.infer<typeof Container>;

export const ContainerList = z.array(
  z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullish() }),
);

/** What the engine says in its stream of events about a container, among those we ask for. */
export const ContainerEvent = z.object({
  Action: z.enum(['start', 'oom', 'kill', 'die', 'destroy']),
  Actor: z.object({ ID: z.string(), Attributes: z.object({ exitCode: z.coerce.number().int().optional() }) }),
  /** Nanoseconds since the epoch. */
  timeNano: z.number(),
});
export type ContainerEvent = z.infer<typeof ContainerEvent>;

export const Network = z.object({
  Name: z.string(),
  Id: z.string(),
  Internal: z.boolean().nullish(),
  Options: z.record(z.string(), z.string()).nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  Created: z.string().nullish(),
});
export type Network = z.infer<typeof Network>;
export const NetworkList = z.array(Network);

export const Statistics = z.object({
  cpu_stats: z.object({
    cpu_usage: z.object({
      usage_in_usermode: z.number().nullish(),
      usage_in_kernelmode: z.number().nullish(),
    }),
  }),
  memory_stats: z.object({
    usage: z.number().nullish(),
    max_usage: z.number().nullish(),
    stats: z.record(z.string(), z.number()).nullish(),
  }),
});
export type Statistics = z.infer<typeof Statistics>;

export const StreamLine = z.object({
  status: z.string().optional(),
  id: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).nullish(),
  error: z.string().optional(),
  aux: z.unknown().optional(),
});
export type StreamLine = z.infer<typeof StreamLine>;
