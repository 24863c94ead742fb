import { errorCode } from './files/error-code.ts';
import { SettingsError, type Settings } from './settings/settings.ts';

/** Why the server does not start: one sentence, with what to do. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Puts what went wrong while starting into a sentence. */
export function startErrorOf(error: unknown, settings: Settings): StartError {
  if (error instanceof StartError) return error;
  if (error instanceof SettingsError) return new StartError(error.message, { cause: error });
  const place = `${settings.host}:${settings.port}`;
  const message = error instanceof Error ? error.message : String(error);
  switch (errorCode(error) ?? '') {
    case 'EADDRINUSE':
      return new StartError(
        `${place} is in use by another program: stop that one, or set SHEAF_PORT to another port.`,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(`Sheaf cannot listen on ${place}: SHEAF_HOST is no address of this machine.`, {
        cause: error,
      });
    case 'ECONNREFUSED':
      return new StartError(`The database does not answer (${message}): check SHEAF_DATABASE_URL.`, {
        cause: error,
      });
    case 'EACCES':
      return new StartError(`Sheaf may not listen on ${place} or write to ${settings.home} (${message}).`, {
        cause: error,
      });
    default:
      return new StartError(`Sheaf cannot start: ${message}`, { cause: error });
  }
}
