import { fileTokenStore } from '@sheaf/client/node';
import type { Command } from '../command.ts';

export const command: Command = {
  description: 'Forget who is signed in on a server. The next command signs in again, or asks for a name.',
  positionals: [
    {
      name: 'alias',
      count: 'optional',
      help: 'The server: its alias or address; the current one unless given.',
    },
  ],
  flags: [],
  async run(given, context) {
    const alias = given.optional('alias');
    const address = alias === undefined ? context.session.address : context.addressOf(alias);
    const store = fileTokenStore(context.places.state);
    if ((await store.read(address)) !== undefined) await store.remove(address);
  },
};
