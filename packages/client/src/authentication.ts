/** Where requests get their token from. */
export interface Authentication {
  /** A token worth trying, or undefined to ask without one. @throws SheafError when signing in is refused. */
  token(): Promise<string | undefined>;
  /** Another token in place of one that the server refused, or undefined where there is none to be had. */
  renew(refused: string): Promise<string | undefined>;
}
