/** `config.json`: what the user has set (cli.md §2.8). Unknown keys are kept. */
import { readJsonFile, updateJsonFile } from '@sheaf/client/node';

export type ConfigObject = Record<string, unknown>;

const defaultAliases: Readonly<Record<string, string>> = {
  main: 'https://worksheets.codalab.org',
  localhost: 'http://localhost',
};

export interface Config {
  /** Address of new sessions; undefined where the user has set none. */
  readonly defaultAddress: string | undefined;
  readonly defaultWorksheet: string;
  readonly aliases: Readonly<Record<string, string>>;
  /** By address; sent with every request there. */
  readonly extraHeaders: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** 2 and more shows where errors come from. */
  readonly verbosity: number;
}

/** @throws InvalidJsonFileError */
export function readConfig(path: string): Config {
  const file = asObject(readJsonFile(path));
  const cli = asObject(file['cli']);
  const address = cli['default_address'];
  const worksheet = cli['default_worksheet_uuid'];
  const headers = Object.entries(asObject(cli['extra_headers']));
  return {
    defaultAddress: typeof address === 'string' && address !== '' ? address : undefined,
    defaultWorksheet: typeof worksheet === 'string' ? worksheet : '',
    aliases: 'aliases' in file ? stringsOf(file['aliases']) : defaultAliases,
    extraHeaders: Object.fromEntries(headers.map(([host, value]) => [host, stringsOf(value)])),
    verbosity: typeof cli['verbose'] === 'number' ? cli['verbose'] : 1,
  };
}

/** Changes the file, which begins with the standard aliases. */
export function changeConfig(path: string, change: (config: ConfigObject) => ConfigObject): Promise<void> {
  return updateJsonFile(path, (current) =>
    change(current === undefined ? initialConfig() : asObject(current)),
  );
}

export function initialConfig(): ConfigObject {
  return { cli: { verbose: 1 }, aliases: { ...defaultAliases } };
}

export function asObject(value: unknown): ConfigObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ConfigObject) : {};
}

function stringsOf(value: unknown): Record<string, string> {
  const entries = Object.entries(asObject(value));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
