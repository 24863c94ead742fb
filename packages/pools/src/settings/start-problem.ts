/** The command line or the surroundings cannot work: a sentence or two that say what to do. */
export class StartProblem extends Error {
  override readonly name = 'StartProblem';
}
