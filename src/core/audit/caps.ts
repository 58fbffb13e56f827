// How much of a text a record keeps (spec 8).

/** Of a process's name: what the kernel has of it. */
export const MAX_PROCESS = 16;
/** Of a host's name. */
export const MAX_NAME = 255;
/** Further names of one address. */
export const MAX_OTHER_NAMES = 7;
