/**
 * `@peculiar/x509` is put together by tsyringe, which looks for parameter types through `Reflect.getMetadata` and
 * refuses to load without it. No class there has such a parameter, so "no metadata" is the whole and right answer.
 */
const reflection = Reflect as typeof Reflect & {
  getMetadata?: () => undefined;
  getOwnMetadata?: () => undefined;
};

reflection.getMetadata ??= () => undefined;
reflection.getOwnMetadata ??= () => undefined;
