/*
 * The head and tail of a text file (bundles.md §13.5, vectors §22.8): which bytes to read, and what to make of them. Works in
 * bytes throughout, and cuts at line ends only, so that no character is torn apart.
 */

export interface SummaryOptions {
  /** Lines from the start; 0 for none. */
  head: number;
  /** Lines from the end; 0 for none. */
  tail: number;
  /** Bytes a line is expected to have at most; decides how much of a large file is looked at. */
  maxLineLength: number;
  /** Put where lines are left out between head and tail. */
  truncationText: string;
}

/** What summaries say about files that are no UTF-8 text, and that do not exist. */
export const binarySummary = '<binary>';
export const missingSummary = '<none>';

/** The bytes of a file. */
export interface ByteReader {
  size: number;
  /** Exactly the bytes asked for, fewer only at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Summarises a file, reading no more than (head + tail) × maxLineLength bytes of it. */
export async function summarizeFile(file: ByteReader, options: SummaryOptions): Promise<string> {
  const { head, tail, maxLineLength } = options;
  if (file.size <= (head + tail) * maxLineLength) {
    return summarizeBytes(await file.read(0, file.size), options);
  }
  const tailStart = file.size - tail * maxLineLength - 1;
  const start = head > 0 ? await file.read(0, head * maxLineLength) : new Uint8Array();
  const end = tail > 0 ? await file.read(tailStart, file.size - tailStart) : new Uint8Array();
  const startText = decode(start, { cutAtEnd: true });
  const endText = decode(end, { cutAtStart: true });
  if (startText === undefined || endText === undefined) return binarySummary;
  const between = head > 0 && tail > 0 ? options.truncationText : '';
  return joinLines(wholeLines(startText).slice(0, head)) + between + joinLines(lastLines(endText, tail));
}

/** Summarises contents that are all at hand. */
export function summarizeBytes(bytes: Uint8Array, options: SummaryOptions): string {
  const text = decode(bytes, {});
  return text === undefined ? binarySummary : summarizeText(text, options);
}

/** The lines of a text that a summary keeps. */
export function summarizeText(text: string, options: SummaryOptions): string {
  const { head, tail, truncationText } = options;
  const lines = linesOf(text);
  if (lines.length <= head + tail) return joinLines(lines);
  const between = head > 0 && tail > 0 ? truncationText : '';
  return joinLines(lines.slice(0, head)) + between + joinLines(tail > 0 ? lines.slice(-tail) : []);
}

/** Lines without their ends; a last line needs none. */
function linesOf(text: string): string[] {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** The lines of a piece that is cut at its end. */
function wholeLines(text: string): string[] {
  return text.replaceAll('\r\n', '\n').split('\n').slice(0, -1);
}

/** The last lines of a piece that is cut at its start: its first line is not whole. */
function lastLines(text: string, count: number): string[] {
  const lines = linesOf(text.slice(text.indexOf('\n') + 1));
  return text.includes('\n') && count > 0 ? lines.slice(-count) : [];
}

function joinLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** UTF-8 text, or undefined; characters torn by a cut do not count. */
function decode(bytes: Uint8Array, cut: { cutAtStart?: true; cutAtEnd?: true }): string | undefined {
  let start = 0;
  while (cut.cutAtStart === true && start < 3 && isContinuation(bytes[start])) start += 1;
  try {
    // A decoder that is told more will come forgives an unfinished last character.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(start), {
      stream: cut.cutAtEnd === true,
    });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
