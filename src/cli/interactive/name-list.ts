/** Names that come and go, and their order, which is found anew only after one did. */
export class NameList {
  readonly #names: Set<string>;
  #sorted: readonly string[] | undefined;

  /** Takes each name once. */
  constructor(names: Iterable<string> = []) {
    this.#names = new Set(names);
  }

  /** How many there are. */
  get size(): number {
    return this.#names.size;
  }

  /** True when `name` is among them. */
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Adds a name; nothing changes when it is there. */
  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#sorted = undefined;
  }

  /** Takes a name away; nothing changes when it is not there. */
  delete(name: string): void {
    if (this.#names.delete(name)) this.#sorted = undefined;
  }

  /** All of them in the order of their UTF-16 units; the same list until one comes or goes. */
  get sorted(): readonly string[] {
    this.#sorted ??= [...this.#names].sort();
    return this.#sorted;
  }
}
