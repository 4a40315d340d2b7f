// What server and client agree on.

/** The largest message that is taken and given: 64 MiB. Larger things cross in chunks or as object references. */
export const maxMessageBytes = 64 * 1024 * 1024;
