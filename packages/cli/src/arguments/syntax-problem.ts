/** The command line does not fit the command's syntax: exit code 2 (cli.md §2.2). */
export class SyntaxProblem extends Error {
  override readonly name = 'SyntaxProblem';
  /** One more sentence on what to do. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
