/** Header and media type names that both sides need at run time; apart from the schemas, so that `cl` starts without zod. */

/** The attempt of a run that results or reports belong to; an older one than the assignment's is refused with 409. */
export const epochHeader = 'x-sheaf-epoch';
/** Many small blobs in one body. */
export const packContentType = 'application/vnd.sheaf.pack';
