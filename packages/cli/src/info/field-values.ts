/** Chosen values of bundles, for scripts: `cl info -f a,b` (cli.md §5.4, §8.9). */
import { fileGenpaths, type Bundle, type RestClient } from '@sheaf/client';
import { parseGenpath, pythonText, recordValue, type GenpathValue } from '@sheaf/domain';
import { recordOf } from '../render/bundle-record.ts';

/** One list of texts for each bundle, in the order of the fields. All values inside files are asked for at once. */
export async function fieldValues(
  client: RestClient,
  bundles: readonly Bundle[],
  fields: readonly string[],
): Promise<string[][]> {
  const files = fields.filter((field) => parseGenpath(field).kind === 'file');
  const queries = bundles.flatMap(({ uuid }) =>
    files.map((genpath) => ({ bundle_uuid: uuid, genpath, post: null })),
  );
  const answers = queries.length === 0 ? [] : await fileGenpaths(client, queries);
  return bundles.map((bundle, row) => {
    const record = recordOf(bundle);
    return fields.map((field) => {
      const genpath = parseGenpath(field);
      if (genpath.kind !== 'file') return pythonText(recordValue(genpath, record));
      const answer = answers[row * files.length + files.indexOf(field)] as GenpathValue | undefined;
      // A file or key that is not there is empty, while other values that are not there are None.
      return answer === null || answer === undefined ? '' : pythonText(answer);
    });
  });
}
