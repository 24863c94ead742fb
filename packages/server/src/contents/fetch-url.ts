/** Fetches a URL for an upload (rest-api.md §20.1): streamed, through the address guard, redirects followed by hand. */
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { SheafError } from '@sheaf/wire';
import { guardedLookup, refuseClosedHost } from './address-guard.ts';

export interface FetchOptions {
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
}

export interface FetchedUrl {
  readonly body: Readable;
  /** Last part of the path that was asked for; tells whether it is an archive. */
  readonly filename: string;
}

const mostRedirects = 10;
const idleTimeout = 300_000;

/** @throws SheafError `invalid-request` on what is no URL, a closed address, or an answer that is no success */
export async function fetchUrl(text: string, options: FetchOptions): Promise<FetchedUrl> {
  const first = parseUrl(text);
  const filename = first.pathname.split('/').at(-1) ?? '';
  let url = first;
  for (let hop = 0; hop <= mostRedirects; hop += 1) {
    const response = await get(url, options);
    const { statusCode: status = 0 } = response;
    const { location } = response.headers;
    if (status >= 300 && status < 400 && location !== undefined) {
      response.resume();
      url = parseUrl(new URL(location, url).href);
      continue;
    }
    if (status !== 200) {
      response.resume();
      throw new SheafError(
        'invalid-request',
        `${url.href} answered ${status} ${response.statusMessage ?? ''}`.trim(),
      );
    }
    return { body: response, filename };
  }
  throw new SheafError('invalid-request', `${first.href} redirects more than ${mostRedirects} times.`);
}

/** @throws SheafError `invalid-request` */
export function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw new SheafError('invalid-request', `Not a URL: ${text}`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new SheafError(
      'invalid-request',
      `The server fetches http and https addresses, not ${url.protocol}`,
      {
        next: 'Download the file and upload it.',
      },
    );
  }
  return url;
}

function get(url: URL, { allowPrivate, signal }: FetchOptions): Promise<IncomingMessage> {
  if (!allowPrivate) refuseClosedHost(url.hostname);
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        signal,
        headers: { 'accept-encoding': 'identity', 'user-agent': 'sheaf' },
        ...(allowPrivate ? {} : { lookup: guardedLookup }),
      },
      resolve,
    );
    sent.setTimeout(idleTimeout, () =>
      sent.destroy(new Error(`${url.host} sent nothing for ${idleTimeout / 1000} s`)),
    );
    sent.once('error', (error) => {
      // No such host, refused, timed out: the address is the user's.
      reject(
        error instanceof SheafError || signal.aborted
          ? error
          : new SheafError('invalid-request', `${url.href} could not be fetched: ${error.message}`, {
              cause: error,
            }),
      );
    });
    sent.end();
  });
}
