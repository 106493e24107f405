/** Parsed objects are shared between passes and never changed in place; the type says so at every depth. */
export type Immutable<T> = T extends string | number | boolean | bigint | undefined | null
  ? T
  : T extends readonly (infer Element)[]
    ? readonly Immutable<Element>[]
    : T extends object
      ? { readonly [Key in keyof T]: Immutable<T[Key]> }
      : T;
