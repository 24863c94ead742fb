/** Makes the compiler complain where a union gained a member that a `switch` does not handle. */
export function assertNever(value: never): never {
  throw new Error(`A case is not handled: ${JSON.stringify(value)}`);
}
