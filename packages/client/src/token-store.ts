/** Remembers who is signed in where (cli.md §2.9, key `auth`). */

export interface TokenInfo {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly token_type?: string;
  readonly scope?: string;
  /** Seconds since the epoch, with fractions. */
  readonly expires_at: number;
}

export interface SignedIn {
  readonly token_info: TokenInfo;
  readonly username: string;
}

export interface TokenStore {
  read(address: string): Promise<SignedIn | undefined>;
  write(address: string, signedIn: SignedIn): Promise<void>;
  remove(address: string): Promise<void>;
}

/** A store for one process, as workers use it. */
export function memoryTokenStore(): TokenStore {
  const known = new Map<string, SignedIn>();
  return {
    read: (address) => Promise.resolve(known.get(address)),
    write: (address, signedIn) => {
      known.set(address, signedIn);
      return Promise.resolve();
    },
    remove: (address) => {
      known.delete(address);
      return Promise.resolve();
    },
  };
}
