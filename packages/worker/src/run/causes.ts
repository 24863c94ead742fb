/** Reads, from whatever went wrong, which of the known causes it was; what becomes of the run is in the domain's table. */
import type { FailureCause } from '@sheaf/domain';
import { ImageError, RuntimeError } from '@sheaf/runtimes';
import { DependencyProblem } from '../cache/dependency.ts';
import { isDiskFull, isRefusal, messageOf, systemCode } from '../errors.ts';
import { RunFailure } from './interruption.ts';

/** Files that are gone, and disks and network filesystems that do not answer any more. */
const lostFiles = new Set(['ENOENT', 'EIO', 'ESTALE', 'ENODEV', 'EROFS', 'ENOTCONN']);

/** @param otherwise what it is where the error does not tell */
export function causeOf(error: unknown, otherwise: FailureCause): FailureCause {
  if (error instanceof RunFailure) return error.failureCause;
  if (isDiskFull(error) || /no space left on device/i.test(messageOf(error))) return 'disk-full';
  if (error instanceof ImageError) return error.transient ? 'image-unreachable' : 'image-refused';
  if (error instanceof RuntimeError) return error.userError ? 'start-refused' : 'engine-failed';
  return lostFiles.has(systemCode(error) ?? '') ? 'directory-lost' : otherwise;
}

/** Without room, what starts a command may end without a word of why. @param metFullDisk nothing could be written meanwhile */
export function causeOfStart(error: unknown, metFullDisk: boolean): FailureCause {
  const cause = causeOf(error, 'unexpected');
  return metFullDisk && (cause === 'engine-failed' || cause === 'unexpected') ? 'disk-full' : cause;
}

/** A dependency that is not there, or may not be read, is not there for other workers either; all else may be the worker's own. */
export function causeOfDependency(error: unknown): FailureCause {
  if (isDiskFull(error)) return 'disk-full';
  return error instanceof DependencyProblem || isRefusal(error)
    ? 'dependency-refused'
    : 'dependency-unreachable';
}
