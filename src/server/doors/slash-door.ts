import { slashCodec } from '../../core/codecs/slash.ts';
import { textDoor } from './text-door.ts';

/** Serves the chat of document 5, for people at `openssl s_client`. */
export const openSlashDoor = textDoor(slashCodec);
