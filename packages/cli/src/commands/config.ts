import { readJsonFile } from '@sheaf/client/node';
import type { Command } from '../command.ts';
import { asObject, changeConfig, initialConfig, type ConfigObject } from '../configuration/config.ts';
import { UsageError } from '../usage-error.ts';

export const command: Command = {
  description: 'Show, set or remove a value of the configuration file.',
  positionals: [
    { name: 'key', count: 'one', help: 'The way to the value, with slashes: cli/default_address.' },
    { name: 'value', count: 'optional', help: 'What to set: true, false, a number or a text.' },
  ],
  flags: [{ long: '--remove', short: '-r', kind: 'switch', help: 'Remove the value.' }],
  async run(given, context) {
    const key = given.one('key');
    const path = key.split('/');
    const value = given.optional('value') ?? '';
    if (given.has('--remove')) {
      await changeConfig(context.places.config, (config) => {
        if (valueAt(config, path) === undefined) throw unknown(key);
        return withoutValue(config, path);
      });
    } else if (value !== '') {
      await changeConfig(context.places.config, (config) => withValue(config, path, valueOf(value)));
    } else {
      const file = readJsonFile(context.places.config);
      const found = valueAt(file === undefined ? initialConfig() : asObject(file), path);
      if (found === undefined) throw unknown(key);
      context.print(typeof found === 'string' ? found : JSON.stringify(found));
    }
  },
};

function unknown(key: string): UsageError {
  return new UsageError(`The configuration has no value "${key}".`, 'Set one with `cl config KEY VALUE`.');
}

function valueOf(text: string): unknown {
  if (text === 'true') return true;
  if (text === 'false') return false;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
}

function valueAt(config: ConfigObject, path: readonly string[]): unknown {
  let current: unknown = config;
  for (const key of path) {
    const object = asObject(current);
    if (!Object.hasOwn(object, key)) return undefined;
    current = object[key];
  }
  return current;
}

function withValue(
  config: ConfigObject,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): ConfigObject {
  return { ...config, [key]: rest.length === 0 ? value : withValue(asObject(config[key]), rest, value) };
}

function withoutValue(config: ConfigObject, [key = '', ...rest]: readonly string[]): ConfigObject {
  if (rest.length > 0) return { ...config, [key]: withoutValue(asObject(config[key]), rest) };
  return Object.fromEntries(Object.entries(config).filter(([one]) => one !== key));
}
