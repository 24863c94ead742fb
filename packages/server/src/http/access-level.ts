/** Who may call a route (rest-api.md §4.2); each route names its level in `config.access`, and a hook enforces it. */
export type AccessLevel =
  /** Anyone. */
  | 'public'
  /** Anyone; in protected mode only users with access. */
  | 'public-unless-protected'
  /** Authenticated users. */
  | 'user'
  /** Authenticated users; in protected mode only those with access. */
  | 'user-with-access';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: AccessLevel;
    /** Open to users who have not confirmed their address yet. */
    allowUnverified?: boolean;
  }
}
