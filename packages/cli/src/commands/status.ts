import { currentUser } from '@sheaf/client';
import { fileTokenStore } from '@sheaf/client/node';
import type { Command } from '../command.ts';
import { userText, worksheetText } from '../render/names.ts';
import { currentPlace } from '../targets/place.ts';
import { compatibleVersion } from '../version.ts';

export const command: Command = {
  description:
    'Show which server, user and worksheet commands work on, and where the client keeps its files.',
  positionals: [],
  flags: [],
  async run(_given, context) {
    const place = currentPlace(context);
    const { address } = place.client;
    const [{ worksheet, meta }, user] = await Promise.all([place.worksheet(), currentUser(place.client)]);
    const stored = await fileTokenStore(context.places.state).read(address);
    const lines: (readonly [string, string])[] = [
      ['codalab_home', context.places.home],
      ['session', context.sessionName],
      ['client_version', compatibleVersion],
      ['server_version', String(meta['version'])],
      ['address', address],
      ...(stored === undefined ? [] : [['username', stored.username] as const]),
      ['current_worksheet', worksheetText(address, worksheet)],
      ['user', userText(user)],
    ];
    for (const [key, value] of lines) context.print(`${key}: ${value}`);
  },
};
