/** Fragments of one message (five-systems, section 2). */
export const maxFragments = 64;
/**
 * Pieces, as the network delivers them, that a frame may come in: each is kept by itself until the frame is whole, and costs
 * some hundred bytes however small it is. The largest frame in pieces of 64 bytes is within it.
 */
export const maxPieces = 2_100;
/** How long a peer has to answer our Close and to close its side, in milliseconds. */
export const closeMs = 5_000;
