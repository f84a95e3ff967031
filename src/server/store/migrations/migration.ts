/** One step of the schema: statements that run in one transaction. Its number is its place in the list, from 1. */
export type Migration = readonly string[];
