import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The example pipeline first, because everything else stands on it; then by name. */
export class LettersFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => (moduleId.endsWith('letters.test.ts') ? '' : moduleId);
    return files.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }
}
