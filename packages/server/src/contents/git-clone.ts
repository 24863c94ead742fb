/** Clones a repository for an upload (bundles.md §12.8): shallow, over HTTP only, never asking anything. */
import { spawn } from 'node:child_process';
import { SheafError } from '@sheaf/wire';
import { publicAddressOf } from './address-guard.ts';
import { parseUrl, type FetchOptions } from './fetch-url.ts';

const timeout = 300_000;
const longestMessage = 4_000;

/** @throws SheafError `invalid-request` with what git says */
export async function cloneRepository(text: string, directory: string, options: FetchOptions): Promise<void> {
  const url = parseUrl(text);
  const settings = [
    'protocol.allow=never',
    'protocol.http.allow=always',
    'protocol.https.allow=always',
    'http.followRedirects=false',
    'core.hooksPath=/dev/null',
    'credential.helper=',
    ...(options.allowPrivate ? [] : [await pinnedAddress(url)]),
  ];
  const clone = ['clone', '--quiet', '--depth', '1', '--', url.href, directory];
  const words = [...settings.flatMap((setting) => ['-c', setting]), ...clone];
  const git = spawn('git', words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      LANG: 'C',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_LFS_SKIP_SMUDGE: '1',
    },
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeout)]),
  });
  let said = '';
  git.stderr.setEncoding('utf8');
  git.stderr.on('data', (piece: string) => {
    said = (said + piece).slice(-longestMessage);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    git.once('error', reject);
    git.once('close', resolve);
  });
  if (code !== 0) throw new SheafError('invalid-request', `git could not clone ${url.href}: ${said.trim()}`);
}

/** The address that was checked is the one that is connected to. */
async function pinnedAddress(url: URL): Promise<string> {
  const address = await publicAddressOf(url.hostname);
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return `http.curloptResolve=${url.hostname}:${port}:${address}`;
}
