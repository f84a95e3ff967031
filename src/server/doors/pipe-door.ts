import { pipeCodec } from '../../core/codecs/pipe.ts';
import { textDoor } from './text-door.ts';

/** Serves the pipe protocol of document 1. */
export const openPipeDoor = textDoor(pipeCodec);
