/**
 * What the kernel has written down about processes that it killed for want of memory. An engine that was not looking, or whose
 * way of looking a generation of control groups does not have, never learns why a container was killed.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { isErrno } from '../files/errno.ts';

const kernelLog = '/dev/kmsg';
const longestRecord = 8192;

/** Whether the kernel killed a process in a group with this in its name; false also where its log may not be read. */
export function wasKilledForMemory(group: string, log: string = kernelLog): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(log, constants.O_RDONLY | constants.O_NONBLOCK);
    return tellsOfKill(recordsIn(descriptor), group);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EPERM', 'EACCES')) return false;
    throw error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** @param records as in `6,1234,5678,-;oom-kill:constraint=CONSTRAINT_MEMCG,…,task_memcg=/…,task=…` */
export function tellsOfKill(records: Iterable<string>, group: string): boolean {
  for (const record of records) {
    const victim = /oom-kill:.*[,;]task_memcg=(?<group>[^,]*)/.exec(record)?.groups?.['group'];
    if (victim !== undefined && namesWhole(victim, group)) return true;
  }
  return false;
}

/** `/docker/<id>` and `docker-<id>.scope` are of the group, an identifier that has its name in the middle is another's. */
function namesWhole(path: string, name: string): boolean {
  const parts = path.split(name);
  return parts.some(
    (after, index) =>
      index > 0 && !/[0-9A-Za-z]$/.test(parts[index - 1] ?? '') && !/^[0-9A-Za-z]/.test(after),
  );
}

/** Each read answers one record. */
function* recordsIn(descriptor: number): Generator<string> {
  const buffer = Buffer.alloc(longestRecord);
  for (;;) {
    try {
      const length = readSync(descriptor, buffer);
      if (length === 0) return;
      yield buffer.toString('utf8', 0, length);
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return;
      // The record was overwritten by newer ones before it could be read: the next read goes on with those.
      if (!isErrno(error, 'EPIPE')) throw error;
    }
  }
}
