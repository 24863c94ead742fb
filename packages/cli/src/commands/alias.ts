import type { Command } from '../command.ts';
import { asObject, changeConfig } from '../configuration/config.ts';
import { none } from '../render/names.ts';
import { UsageError } from '../usage-error.ts';

export const command: Command = {
  description: 'Show, set or remove short names of servers, as used in `<instance>::<worksheet>`.',
  positionals: [
    { name: 'name', count: 'optional', help: 'The short name; all are shown without it.' },
    { name: 'instance', count: 'optional', help: 'The address it stands for.' },
  ],
  flags: [{ long: '--remove', short: '-r', kind: 'switch', help: 'Remove the name.' }],
  async run(given, context) {
    const name = given.optional('name');
    const address = given.optional('instance');
    const { aliases } = context.config;
    if (name === undefined) {
      for (const [known, value] of Object.entries(aliases)) context.print(`${known}: ${value}`);
    } else if (given.has('--remove')) {
      if (aliases[name] === undefined) {
        throw new UsageError(`There is no alias "${name}".`, '`cl alias` lists them.');
      }
      await changeAliases(context.places.config, (known) =>
        Object.fromEntries(Object.entries(known).filter(([one]) => one !== name)),
      );
    } else if (address === undefined) {
      context.print(`${name}: ${aliases[name] ?? none}`);
    } else {
      await changeAliases(context.places.config, (known) => ({ ...known, [name]: address }));
    }
  },
};

function changeAliases(
  path: string,
  change: (aliases: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  return changeConfig(path, (config) => ({ ...config, aliases: change(asObject(config['aliases'])) }));
}
