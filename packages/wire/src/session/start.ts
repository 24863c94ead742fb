/** What a client may ask a session for, checked at the server's edge. */
import { z } from 'zod';

/** Bytes of all words of a command line together. */
const longestCommand = 100_000;

const encoder = new TextEncoder();
const side = z.int().min(0).max(65_535);
const terminalSize = z.object({ rows: side, columns: side });

const command = z
  .array(z.string().refine((word) => !word.includes('\0'), 'a word cannot contain a zero byte'))
  .max(10_000)
  .refine(
    (words) => words.reduce((sum, word) => sum + encoder.encode(word).byteLength + 1, 0) <= longestCommand,
    `a command has at most ${longestCommand} bytes`,
  );

/** See `SessionStart`. */
export const sessionStart = z.object({
  type: z.literal('start'),
  command,
  terminal: terminalSize.nullable(),
  term: z
    .string()
    .regex(/^[\w.+-]{1,64}$/)
    .optional(),
});

/** What a session is to run, as the worker is told. */
export const sessionRequest = sessionStart.omit({ type: true });
export type SessionRequest = z.infer<typeof sessionRequest>;
