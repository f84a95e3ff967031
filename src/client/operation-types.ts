/** Stands in for core's list of operations until that is there. */
export type OperationName = string;
export type InputOf<N extends OperationName> = N extends string ? object : never;
export type OutputOf<N extends OperationName> = N extends string ? object : never;
