/** Workers that see the contents of the server (execution.md §24, §27.3): set by the deployment, not by a flag. */
export interface SharedContents {
  /** Mounted at the same path; undefined where nothing is shared. */
  readonly mount: string | undefined;
  readonly flags: readonly string[];
}

export function sharedContentsOf(environment: NodeJS.ProcessEnv): SharedContents {
  if (environment['CODALAB_SHARED_FILE_SYSTEM'] !== 'true') return { mount: undefined, flags: [] };
  return { mount: environment['CODALAB_BUNDLE_MOUNT'] || undefined, flags: ['--shared-file-system'] };
}
