import { InvalidArchiveError } from '../../errors.ts';

export function damaged(): InvalidArchiveError {
  return new InvalidArchiveError('the bzip2 stream is damaged');
}
