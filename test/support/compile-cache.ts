/**
 * For the environment of each program that tests start: where the processes of a run keep what Node has compiled. Of a program from the
 * sources that is two thirds of a start, of the built server a fifth.
 */
export const compileCache: { readonly NODE_COMPILE_CACHE?: string } =
  process.env.NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE };
