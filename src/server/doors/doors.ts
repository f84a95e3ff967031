import { lingerAndClose } from '../linger.ts';
import type { Door } from './door.ts';
import type { DoorKind } from './first-bytes.ts';
import { openLineDoor } from './line-door.ts';
import { openPipeDoor } from './pipe-door.ts';
import { notServed, refusal, type UnservedKind } from './refusals.ts';
import { openSlashDoor } from './slash-door.ts';

/** What serves each kind of first bytes; TLS has been unwrapped before. A new door is one entry here. */
export const doors: Readonly<Record<DoorKind, Door>> = {
  line: openLineDoor,
  http: refuse('http'),
  pipe: openPipeDoor,
  slash: openSlashDoor,
  // Public text, from somebody who has not logged in yet.
  text: openSlashDoor,
  'too-long': refuse('too-long'),
  batch: refuse('batch'),
  tls: refuse('tls'),
};

function refuse(kind: UnservedKind): Door {
  const lastWords = refusal(kind, notServed(kind));
  return ({ socket }) => {
    socket.write(lastWords);
    lingerAndClose(socket);
    return undefined;
  };
}
