import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '../processes.ts';
import { requireProgram } from '../services/packages.ts';

/** A key, and a certificate for 127.0.0.1 that it has signed itself; both as PEM. */
export async function selfSigned(): Promise<{ key: string; cert: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'sheaf-certificate-'));
  try {
    const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
    const openssl = await requireProgram('certificates', 'openssl', 'openssl');
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    await runProcess(openssl, [
      'req',
      '-x509',
      ...kind,
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '2',
      ...names,
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}
