/* What a worker may not do, whoever owns it: speak for others, take what is not meant for it, or upset the server. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@sheaf/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../support/installation.ts';
import { accountOf, Person } from '../support/people.ts';
import { root, run } from '../support/programs.ts';

let installation: Installation;
let alice: Person;
let mallory: Person;
let tokens: { alice: string; mallory: string };
beforeAll(async () => {
  installation = await Installation.start('sandbox');
  alice = await Person.join(installation, 'alice');
  mallory = await Person.join(installation, 'mallory');
  tokens = {
    alice: await installation.tokenOf(alice.credentials),
    mallory: await installation.tokenOf(mallory.credentials),
  };
});
afterAll(() => installation.stop());

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function post(
  path: string,
  token: string,
  body: string | Buffer,
  type: string,
  method = 'POST',
): Promise<Answer> {
  const answer = await fetch(`${installation.url}/rest${path}`, {
    method,
    // As programs ask: without it, errors come as a page for people.
    headers: { authorization: `Bearer ${token}`, 'content-type': type, 'x-requested-with': 'XMLHttpRequest' },
    body,
  });
  return { status: answer.status, text: await answer.text() };
}

const postJson = (path: string, token: string, body: unknown) =>
  post(path, token, typeof body === 'string' ? body : JSON.stringify(body), 'application/json');

/** A check-in as the original worker makes it, that waits for nothing. */
const checkin = (changes: Record<string, unknown> = {}) => ({
  tag: null,
  group_name: null,
  cpus: 1,
  gpus: 0,
  memory_bytes: 8e9,
  free_disk_bytes: 1e12,
  dependencies: [],
  hostname: 'elsewhere',
  runs: [],
  shared_file_system: false,
  tag_exclusive: false,
  exit_after_num_runs: 999_999_999,
  is_terminating: false,
  preemptible: false,
  hold: 0,
  ...changes,
});

const report = (uuid: string, changes: Record<string, unknown> = {}) => ({
  uuid,
  run_status: 'mine',
  bundle_start_time: 1,
  container_time_total: 1,
  container_time_user: 0,
  container_time_system: 0,
  docker_image: null,
  state: 'running',
  remote: 'theirs',
  exitcode: null,
  failure_message: null,
  disk_utilization: 0,
  ...changes,
});

describe('a run that another worker holds', () => {
  let uuid: string;
  beforeAll(async () => {
    uuid = await alice.ok('run', 'echo precious; sleep 600');
    await installation.inState(uuid, 'running');
  });
  afterAll(async () => {
    await alice.ok('kill', uuid);
    await installation.finished(uuid);
  });

  it.each(['running', 'finalizing', 'staged', 'ready'])(
    'is not changed by a report that says %s',
    async (state) => {
      const runs = [report(uuid, { state, exitcode: 0, failure_message: 'gone', disk_utilization: 5e9 })];
      const before = await accountOf(installation, alice.id);

      const answer = await postJson('/workers/theirs/checkin', tokens.mallory, checkin({ runs, cpus: 0 }));

      expect(answer.status).toBe(200);
      const told = (JSON.parse(answer.text) as ({ type: string; uuid: string } | null)[]).map(
        (one) => one?.type,
      );
      if (state === 'running') expect(told).toContain('kill');
      if (state === 'finalizing') expect(told).toContain('mark_finalized');
      const bundle = await installation.bundle(uuid);
      expect(bundle.state).toBe('running');
      expect(bundle.metadata['remote']).toBe('local');
      expect(bundle.metadata['run_status']).not.toBe('mine');
      expect((await accountOf(installation, alice.id)).disk_used).toBeLessThan(before.disk_used + 1e6);
    },
  );

  it('may not be started', async () => {
    const start = { hostname: 'elsewhere', start_time: 1 };
    const answer = await postJson(`/workers/theirs/start_bundle/${uuid}`, tokens.mallory, start);

    expect(answer).toEqual({ status: 200, text: 'false' });
  });

  it('takes no results from others, not even from its owner', async () => {
    const put = (token: string) =>
      post(
        `/bundles/${uuid}/contents/blob/?filename=x&finalize_on_success=0`,
        token,
        'forged',
        'text/plain',
        'PUT',
      );
    const offer = (token: string) =>
      postJson(`/bundles/${uuid}/transfer/offer`, token, { blobs: [['d'.repeat(64), 3]], sizes: [] });

    for (const token of [tokens.mallory, tokens.alice]) {
      expect((await put(token)).status).toBe(403);
      expect((await offer(token)).status).toBe(403);
    }
    expect(await alice.ok('cat', `${uuid}/stdout`)).toBe('precious');
  });

  it('takes no answers from the worker of another to what was asked about it', async () => {
    const { url } = installation;
    const headers = { authorization: `Bearer ${tokens.alice}` };
    // Numbers of mailboxes are easy to guess: all that may be open are tried, while somebody reads.
    const reading = fetch(`${url}/rest/bundles/${uuid}/contents/blob/stdout`, { headers });
    const forged = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        postJson(`/workers/theirs/reply/${index + 1}`, tokens.mallory, { x: 1 }),
      ),
    );

    // Its own mailbox is the one it may write to.
    expect(forged.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    expect(forged.filter(({ status }) => status === 403).length).toBeGreaterThanOrEqual(39);
    expect(await (await reading).text()).toBe('precious\n');
  });
});

describe('workers of the same name', () => {
  it('of different users have nothing to do with each other', async () => {
    await postJson('/workers/same/checkin', tokens.alice, checkin({ tag: 'of-alice', tag_exclusive: true }));
    await postJson(
      '/workers/same/checkin',
      tokens.mallory,
      checkin({ tag: 'of-mallory', tag_exclusive: true }),
    );
    const uuid = await alice.ok('run', 'true', '--request-queue', 'of-alice');

    const messages = await eventually('the run for alice’s', async () => {
      const theirs = await postJson(
        '/workers/same/checkin',
        tokens.mallory,
        checkin({ tag: 'of-mallory', tag_exclusive: true }),
      );
      expect(theirs.text).not.toContain(uuid);
      const answer = await postJson(
        '/workers/same/checkin',
        tokens.alice,
        checkin({ tag: 'of-alice', tag_exclusive: true }),
      );
      return answer.text.includes(uuid) ? answer.text : undefined;
    });
    expect(messages).toContain('"type":"run"');
    expect(
      await postJson(`/workers/same/start_bundle/${uuid}`, tokens.mallory, { hostname: 'h', start_time: 1 }),
    ).toEqual({
      status: 200,
      text: 'false',
    });

    // Nor does one that says goodbye take the other along.
    await postJson('/workers/same/checkout', tokens.mallory, {});
    expect(await alice.ok('workers')).toContain('same');
    await postJson('/workers/same/checkout', tokens.alice, {});
    await alice.ok('kill', uuid);
  });
});

describe('numbers that mean nothing', () => {
  const numbers = [
    '-1',
    '-1e308',
    '1e308',
    '1e999',
    'null',
    '"NaN"',
    '"Infinity"',
    '{}',
    '[]',
    '0.5',
    '9007199254740993',
  ];
  const fields = [
    'cpus',
    'gpus',
    'memory_bytes',
    'free_disk_bytes',
    'exit_after_num_runs',
    'slots',
    'hold',
    'protocol',
  ];

  it.each(fields)(
    'as %s of a worker are refused or mean none; everybody else is served as before',
    async (field) => {
      for (const number of numbers) {
        const body = JSON.stringify(checkin({ [field]: 'HERE', tag: 'odd', tag_exclusive: true })).replace(
          '"HERE"',
          number,
        );
        const answer = await postJson(`/workers/odd-${field}/checkin`, tokens.mallory, body);
        expect([200, 400], `${field} ${number}: ${answer.text}`).toContain(answer.status);
      }
      const uuid = await alice.ok('run', 'true');
      expect((await installation.finished(uuid)).state).toBe('ready');
      expect((await mallory.cl(['workers'])).code).toBe(0);
    },
  );

  it('in reports of a run leave the accounts of its owner alone', async () => {
    await postJson('/workers/own/checkin', tokens.mallory, checkin({ tag: 'own', tag_exclusive: true }));
    const uuid = await mallory.ok('run', 'true', '--request-queue', 'own');
    await eventually('the run', async () => {
      const answer = await postJson(
        '/workers/own/checkin',
        tokens.mallory,
        checkin({ tag: 'own', tag_exclusive: true }),
      );
      return answer.text.includes(uuid) ? true : undefined;
    });
    await postJson(`/workers/own/start_bundle/${uuid}`, tokens.mallory, { hostname: 'h', start_time: 1e15 });
    for (const field of [
      'container_time_total',
      'disk_utilization',
      'cpu_usage',
      'memory_usage',
      'bundle_start_time',
    ]) {
      for (const number of numbers) {
        const body = JSON.stringify(
          checkin({ tag: 'own', tag_exclusive: true, runs: [report(uuid, { [field]: 'HERE' })] }),
        ).replace('"HERE"', number);
        const answer = await postJson('/workers/own/checkin', tokens.mallory, body);
        expect([200, 400], `${field} ${number}: ${answer.text}`).toContain(answer.status);
      }
    }

    const account = await accountOf(installation, mallory.id);
    expect(account.time_used).toBe(0);
    expect(account.disk_used).toBeGreaterThanOrEqual(0);
    expect((await installation.bundle(uuid)).state).toMatch(/running|killed/);
    // A measurement of this kind is settled when the run is.
    await mallory.cl(['kill', uuid]);
    await postJson(
      '/workers/own/checkin',
      tokens.mallory,
      checkin({
        runs: [report(uuid, { state: 'finalizing', failure_message: 'Kill requested', disk_utilization: 0 })],
      }),
    );
    await installation.finished(uuid);
    expect((await accountOf(installation, mallory.id)).disk_used).toBe(0);
  });
});

describe('results that are no results', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sheaf-evil-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const archives: Record<string, string> = {
    'lead out of the bundle by ..': `t.add('../../escaped', b'x')`,
    'lead to absolute paths': `t.add('/tmp/sheaf-escaped', b'x')`,
    'go through a link that leads out': `t.link('out', '/tmp'); t.add('out/sheaf-escaped', b'x')`,
    'are no archive': '',
  };
  const makeArchive = (script: string): Buffer => {
    const file = join(directory, 'evil.tar.gz');
    if (script === '') return Buffer.from('this is no archive');
    const python = `
import tarfile, io
class T:
    def __init__(self, t): self.t = t
    def add(self, name, data):
        i = tarfile.TarInfo(name); i.size = len(data); self.t.addfile(i, io.BytesIO(data))
    def link(self, name, target):
        i = tarfile.TarInfo(name); i.type = tarfile.SYMTYPE; i.linkname = target; self.t.addfile(i)
with tarfile.open(${JSON.stringify(file)}, 'w:gz') as archive:
    t = T(archive)
    ${script}
`;
    const { status, stderr } = spawnSync('python3', ['-c', python], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return spawnSync('cat', [file]).stdout;
  };

  it.each(Object.keys(archives))(
    'because they %s: the upload is refused for good, and the run fails',
    async (title) => {
      const own = checkin({ tag: 'evil', tag_exclusive: true });
      await postJson('/workers/evil/checkin', tokens.mallory, own);
      const uuid = await mallory.ok('run', 'true', '--request-queue', 'evil');
      await eventually('the run', async () => {
        const answer = await postJson('/workers/evil/checkin', tokens.mallory, own);
        return answer.text.includes(uuid) ? true : undefined;
      });
      await postJson(`/workers/evil/start_bundle/${uuid}`, tokens.mallory, { hostname: 'h', start_time: 1 });
      await postJson('/workers/evil/checkin', tokens.mallory, checkin({ ...own, runs: [report(uuid)] }));

      const answer = await post(
        `/bundles/${uuid}/contents/blob/?filename=bundle.tar.gz&finalize_on_success=0`,
        tokens.mallory,
        makeArchive(archives[title] ?? ''),
        'application/octet-stream',
        'PUT',
      );

      expect(answer.status).toBe(400);
      expect(answer.text).toMatch(/^Upload failed: Invalid archive upload/);
      expect((await installation.bundle(uuid)).state).toBe('running');
      const failure_message = `Error while uploading: ${answer.text}`;
      const last = report(uuid, { state: 'finalizing', failure_message });
      await postJson('/workers/evil/checkin', tokens.mallory, checkin({ ...own, runs: [last] }));
      expect((await installation.finished(uuid)).state).toBe('failed');
      expect(spawnSync('ls', ['/tmp/sheaf-escaped']).status).not.toBe(0);
    },
  );
});

describe('a worker program', () => {
  const start = (credentials: string) =>
    run(
      process.execPath,
      [
        join(root, 'build/worker/process.js'),
        '--server',
        installation.url,
        '--credentials',
        credentials,
        '--work-dir',
        join(installation.home, 'stranger'),
        '--runtime',
        'sandbox',
      ],
      { env: { SHEAF_HOME: join(installation.home, 'stranger-home') } },
    );

  it('with a wrong password ends and says so, without the password', async () => {
    const wrong = join(installation.home, 'wrong.json');
    writeFileSync(wrong, JSON.stringify({ username: 'alice', password: 'guessed-wrong' }), { mode: 0o600 });

    const { code, stdout, stderr } = await start(wrong);

    expect(code).not.toBe(0);
    expect(`${stdout}${stderr}`).toMatch(/password/i);
    expect(`${stdout}${stderr}`).not.toContain('guessed-wrong');
  });
});
