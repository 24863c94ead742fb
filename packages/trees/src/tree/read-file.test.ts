import { describe, expect, it } from 'vitest';
import { IncompleteContentsError, NotAFileError } from '../errors.ts';
import { directory, file, storeContents } from '../fixtures/contents.ts';
import { collected } from '../fixtures/bytes.ts';
import { MemoryStore } from '../stores/memory-store.ts';
import { readFile } from './read-file.ts';

describe('readFile', () => {
  it('reads ranges as they are clipped at the end', async () => {
    const store = new MemoryStore();
    const entry = await storeContents(store, file('hello world'));
    const read = async (offset: number, length: number): Promise<string> =>
      (await collected(readFile(store, entry, { offset, length }))).toString();
    expect(await read(2, 4)).toBe('llo ');
    expect(await read(3, 4)).toBe('lo w');
    expect(await read(100, 4)).toBe('');
  });

  it('fails where bytes are missing, after those that are there', async () => {
    const store = new MemoryStore();
    const entry = await storeContents(store, file('hello'));
    if (entry.kind !== 'file') throw new Error('Not a file.');
    const longer = { ...entry, size: 8 };
    const got: Buffer[] = [];
    const read = async () => {
      for await (const chunk of readFile(store, longer, { offset: 1 })) got.push(chunk as Buffer);
    };
    await expect(read()).rejects.toThrow(IncompleteContentsError);
    expect(Buffer.concat(got).toString()).toBe('ello');
  });

  it('refuses directories and links', async () => {
    const store = new MemoryStore();
    const tree = await storeContents(store, directory());
    expect(() => readFile(store, tree, {}, 'd')).toThrow(NotAFileError);
    expect(() => readFile(store, { kind: 'link', target: 'x' })).toThrow('link');
  });
});
