import { initial } from './0001-initial.ts';

/** One step of the schema: statements that run in one transaction. Its number is its place in the list, from 1. */
export type Migration = readonly string[];

/** Every step there has been, in order; a released one is never changed. */
export const migrations: readonly Migration[] = [initial];
