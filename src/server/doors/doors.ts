import { lingerAndClose } from '../linger.ts';
import type { Door } from './door.ts';
import type { DoorKind } from './first-bytes.ts';
import { openLineDoor } from './line-door.ts';
import { notServed, refusal } from './refusals.ts';

/** What serves each kind of first bytes; TLS has been unwrapped before. A new door is one entry here. */
export const doors: Readonly<Record<DoorKind, Door>> = {
  line: openLineDoor,
  http: refuse('http'),
  pipe: refuse('pipe'),
  slash: refuse('slash'),
  text: refuse('text'),
  'too-long': refuse('too-long'),
  batch: refuse('batch'),
  tls: refuse('tls'),
};

function refuse(kind: DoorKind): Door {
  const lastWords = refusal(kind, notServed(kind));
  return ({ socket }) => {
    socket.write(lastWords);
    lingerAndClose(socket);
    return undefined;
  };
}
