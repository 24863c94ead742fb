/** Components of a path below a bundle's root; `.` and empty ones mean nothing. */
export function pathComponents(path: string): string[] {
  return path.split('/').filter((component) => component !== '' && component !== '.');
}

/** Joins two paths below a root, without `.` and doubled slashes; empty for the root itself. */
export function joinPaths(...paths: readonly string[]): string {
  return paths.flatMap(pathComponents).join('/');
}

/** Whether `components` begin with all of `prefix`. */
export function startsWithComponents(components: readonly string[], prefix: readonly string[]): boolean {
  return prefix.length <= components.length && prefix.every((component, at) => components[at] === component);
}
