/** Whether this machine can execute an image that was made for another kind of processor. */
import { existsSync } from 'node:fs';

/** What a kernel executes besides its own, without anybody's help. */
const akin: Readonly<Record<string, readonly string[]>> = { amd64: ['386'], arm64: ['arm'] };
/** What emulators call the architectures of images. */
const emulated: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', '386': 'i386' };

/**
 * False only where it is certain: undefined where an emulator may be there that is not seen from here.
 * @param own the engine's architecture, as in `amd64`
 * @param registered the directory in which the kernel lists its emulators
 */
export function canExecute(
  image: string,
  own: string,
  registered = '/proc/sys/fs/binfmt_misc',
): boolean | undefined {
  if (image === own || akin[own]?.includes(image) === true) {
    return true;
  }
  if (existsSync(`${registered}/qemu-${emulated[image] ?? image}`)) {
    return true;
  }
  return existsSync(`${registered}/status`) && !existsSync(`${registered}/rosetta`) ? false : undefined;
}
