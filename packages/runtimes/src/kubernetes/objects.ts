/** What is read of Kubernetes' objects: only the fields that are used. */
import { z } from 'zod';

const containerState = z.object({
  waiting: z.object({ reason: z.string().nullish(), message: z.string().nullish() }).nullish(),
  running: z.object({ startedAt: z.string().nullish() }).nullish(),
  terminated: z
    .object({
      exitCode: z.int(),
      reason: z.string().nullish(),
      message: z.string().nullish(),
      startedAt: z.string().nullish(),
      finishedAt: z.string().nullish(),
    })
    .nullish(),
});

const metadata = z.object({
  name: z.string(),
  resourceVersion: z.string().nullish(),
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

export const pod = z.object({
  metadata,
  status: z
    .object({
      phase: z.string().nullish(),
      reason: z.string().nullish(),
      message: z.string().nullish(),
      podIP: z.string().nullish(),
      startTime: z.string().nullish(),
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string().nullish() }))
        .nullish(),
      containerStatuses: z
        .array(z.object({ imageID: z.string().nullish(), state: containerState.nullish() }))
        .nullish(),
    })
    .nullish(),
});

export type Pod = z.infer<typeof pod>;

export const podList = z.object({
  metadata: z.object({ resourceVersion: z.string().nullish(), continue: z.string().nullish() }).nullish(),
  items: z.array(pod),
});

export const watchEvent = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
});

/** How the API says no. */
export const failureStatus = z.object({
  kind: z.literal('Status'),
  reason: z.string().nullish(),
  message: z.string().nullish(),
  code: z.number().nullish(),
});

export const node = z.object({
  status: z.object({ allocatable: z.record(z.string(), z.string()) }),
});

/** Milliseconds since the epoch; null where there is none. */
export function timeOf(text: string | null | undefined): number | null {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? null : time;
}
