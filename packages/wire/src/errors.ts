/**
 * The error catalogue: one stable code for each way a request can fail, with the HTTP status the server
 * answers and the exit code `cl` ends with (rest-api.md §3.2, cli.md §2.2).
 *
 * The message is written where the error is found, because only there is it known which object is meant;
 * `next` is what the user can do about it, where the place of the error has nothing better to say.
 */
export const errorCatalogue = {
  'invalid-request': { status: 400, exitCode: 1, next: undefined },
  'invalid-json': { status: 400, exitCode: 1, next: 'Send a JSON document.' },
  'ambiguous-spec': { status: 400, exitCode: 1, next: 'Use more digits of the uuid.' },
  'quota-exceeded': { status: 400, exitCode: 1, next: 'Delete bundles you no longer need, or ask for more.' },
  'invalid-archive': {
    status: 400,
    exitCode: 1,
    next: 'Pack the archive again, or upload the directory itself.',
  },
  'action-refused': { status: 400, exitCode: 1, next: undefined },
  'has-dependents': { status: 400, exitCode: 1, next: 'Delete those first, or use --recursive or --force.' },
  'not-authenticated': { status: 401, exitCode: 1, next: 'Sign in: run `cl logout`, then any command.' },
  'not-verified': { status: 401, exitCode: 1, next: 'Follow the link in the mail we sent you.' },
  'no-access': { status: 401, exitCode: 1, next: 'Ask the administrator for access to this server.' },
  'permission-denied': { status: 403, exitCode: 1, next: 'Ask the owner for access with `cl perm`.' },
  frozen: { status: 403, exitCode: 1, next: 'Unfreeze it with `cl edit --unfreeze`.' },
  'already-final': { status: 403, exitCode: 1, next: 'Make a new bundle; finished ones do not change.' },
  'not-found': { status: 404, exitCode: 1, next: 'Look with `cl ls` or `cl search`.' },
  'method-not-allowed': { status: 405, exitCode: 1, next: undefined },
  conflict: { status: 409, exitCode: 1, next: undefined },
  'stale-assignment': { status: 409, exitCode: 1, next: 'The run was given to another worker; drop it.' },
  'too-large': { status: 413, exitCode: 1, next: 'Send less at once.' },
  internal: { status: 500, exitCode: 1, next: 'Try again; the server log has the details.' },
  'storage-full': { status: 507, exitCode: 1, next: 'Free disk space on the server.' },
  'worker-unreachable': { status: 504, exitCode: 1, next: 'Look at `cl workers`.' },
} as const satisfies Record<string, { status: number; exitCode: number; next: string | undefined }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Carries the code of an error across HTTP; the body is the plain message that original clients print. */
export const errorCodeHeader = 'x-sheaf-error';
/** Carries the next step, when there is one. */
export const errorNextHeader = 'x-sheaf-next';

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}

/** An error with a meaning for the user: what happened, to which object, what to do next. */
export class SheafError extends Error {
  override readonly name = 'SheafError';
  readonly code: ErrorCode;
  readonly next: string | undefined;

  constructor(code: ErrorCode, message: string, options: { next?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next ?? errorCatalogue[code].next;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get exitCode(): number {
    return errorCatalogue[this.code].exitCode;
  }
}
