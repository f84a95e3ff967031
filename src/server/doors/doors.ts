import { lingerAndClose } from '../linger.ts';
import type { Door, DoorParts } from './door.ts';
import type { DoorKind } from './first-bytes.ts';
import { httpDoor } from './http-door.ts';
import { openLineDoor } from './line-door.ts';
import { openPipeDoor } from './pipe-door.ts';
import { notServed, refusal, type UnservedKind } from './refusals.ts';
import { openSlashDoor } from './slash-door.ts';

/** Every door of one listener. */
export interface Doors {
  /** What serves each kind of first bytes; TLS has been unwrapped before. */
  readonly byKind: Readonly<Record<DoorKind, Door>>;
  /** Stops what the doors keep going besides their connections. */
  close(): void;
}

/** Builds the doors. A new one is one entry here. */
export async function openDoors(parts: DoorParts): Promise<Doors> {
  const http = await httpDoor(parts);
  return {
    byKind: {
      line: openLineDoor,
      http: http.open,
      pipe: openPipeDoor,
      slash: openSlashDoor,
      // Public text, from somebody who has not logged in yet.
      text: openSlashDoor,
      'too-long': refuse('too-long'),
      batch: refuse('batch'),
      tls: refuse('tls'),
    },
    close: () => http.close(),
  };
}

function refuse(kind: UnservedKind): Door {
  const lastWords = refusal(kind, notServed(kind));
  return ({ socket }) => {
    socket.write(lastWords);
    lingerAndClose(socket);
    return undefined;
  };
}
