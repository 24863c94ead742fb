/** A server and a worksheet on it, on which a command works; looked up only when it is needed (cli.md §2.10, §4.3). */
import { fetchWorksheet, resolveWorksheet, type RestClient, type WorksheetAnswer } from '@sheaf/client';
import {
  formatWorksheetSpec,
  isUuid,
  parseWorksheetReference,
  parseWorksheetSpec,
  type WorksheetSpec,
} from '@sheaf/domain';
import type { Context } from '../context.ts';
import { valueOf } from '../usage-error.ts';

export interface Place {
  readonly client: RestClient;
  /** @throws SheafError where there is no such worksheet. */
  uuid(): Promise<string>;
  /** The worksheet itself, and what the server says about itself. */
  worksheet(include?: readonly string[]): Promise<WorksheetAnswer>;
}

/**
 * @param spec as typed after `-w`; undefined, empty and `.` are the current worksheet.
 * @throws UsageError for a malformed spec.
 */
export function placeOf(context: Context, spec: string | undefined): Place {
  const reference = valueOf(parseWorksheetReference(spec ?? ''));
  if (reference.worksheet.kind === 'current') return currentPlace(context);
  const { worksheet, instance } = reference;
  if (instance !== undefined)
    return new SpecifiedPlace(context.client(context.addressOf(instance)), worksheet);
  // The server looks first among what the current worksheet links to.
  return new SpecifiedPlace(context.client(), worksheet, () => currentPlace(context).uuid());
}

/** A worksheet of a certain server; without a base to look from. @throws UsageError for a malformed spec. */
export function placeOn(client: RestClient, worksheet: string): Place {
  return new SpecifiedPlace(client, valueOf(parseWorksheetSpec(worksheet)));
}

export function currentPlace(context: Context): Place {
  const { worksheet_uuid: uuid } = context.session;
  return new SpecifiedPlace(context.client(), isUuid(uuid) ? { kind: 'uuid', uuid } : { kind: 'home' });
}

class SpecifiedPlace implements Place {
  readonly client: RestClient;
  readonly #spec: WorksheetSpec;
  readonly #base: (() => Promise<string>) | undefined;
  #found: Promise<WorksheetAnswer> | undefined;

  constructor(client: RestClient, spec: WorksheetSpec, base?: () => Promise<string>) {
    this.client = client;
    this.#spec = spec;
    this.#base = base;
  }

  async uuid(): Promise<string> {
    if (this.#spec.kind === 'uuid') return this.#spec.uuid;
    return (await this.#lookUp()).worksheet.uuid;
  }

  async worksheet(include: readonly string[] = []): Promise<WorksheetAnswer> {
    if (this.#spec.kind !== 'uuid' && include.length === 0) return this.#lookUp();
    return fetchWorksheet(this.client, await this.uuid(), include);
  }

  #lookUp(): Promise<WorksheetAnswer> {
    this.#found ??= this.#resolve();
    return this.#found;
  }

  async #resolve(): Promise<WorksheetAnswer> {
    const base = this.#spec.kind === 'home' ? '' : await this.#base?.();
    return resolveWorksheet(this.client, formatWorksheetSpec(this.#spec), base ?? '');
  }
}
