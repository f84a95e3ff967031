declare const brand: unique symbol;

/** A `T` that was checked once and carries that fact in its type. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
