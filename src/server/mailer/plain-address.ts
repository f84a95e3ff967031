/** One address in plain ASCII, with nothing that ends it or begins another. */
export function isPlainAddress(text: string): boolean {
  return /^[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)*$/i.test(text) && text.length <= 254;
}
