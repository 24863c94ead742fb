/** Users over REST (rest-api.md §6). */
import type { Document, Resource, UserAttributes } from '@sheaf/wire';
import { flattenOne, type Flat } from '../documents.ts';
import type { RestClient } from '../rest-client.ts';

export type User = Flat<UserAttributes> & { readonly is_root_user?: boolean };

/** The user who asks. @throws SheafError `not-authenticated` for an anonymous one. */
export async function currentUser(client: RestClient): Promise<User> {
  const document = await client.json<Document<Resource<UserAttributes>>>('GET', '/user');
  return flattenOne(document) as User;
}
