import type { Origin } from './configuration.ts';

/** An origin in words: what to look at to change the value. */
export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
    case 'environment':
      return origin.name;
    case 'context':
      return `context ${origin.name}`;
    case 'selected':
      return 'chat context select';
    case 'file':
      return `${origin.path}:${origin.line}`;
    case 'default':
      return 'default';
  }
}
