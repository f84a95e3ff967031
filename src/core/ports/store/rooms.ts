import type { RoomName } from '../../model/conversation-name.ts';
import type { UserId } from '../../model/ids.ts';
import type { Username } from '../../model/username.ts';

/** Rooms and who is in them. */
export interface RoomStore {
  createRoom(room: { room: RoomName; by: UserId; now: number }): Promise<'created' | 'taken'>;
  joinRoom(join: { room: RoomName; userId: UserId; now: number }): Promise<'joined' | 'already' | 'missing'>;
  /** Nobody leaves the lobby: `stays`. */
  leaveRoom(leave: { room: RoomName; userId: UserId }): Promise<'left' | 'not-member' | 'missing' | 'stays'>;
  /** All rooms in order of name, each with whether `userId` is in it and how many members it has. */
  rooms(query: { userId: UserId; after: string; limit: number }): Promise<RoomSummary[]>;
  roomMembers(query: { room: RoomName; after: string; limit: number }): Promise<Username[] | undefined>;
}

/** A room in a listing. */
export interface RoomSummary {
  readonly room: RoomName;
  readonly members: number;
  readonly isMember: boolean;
  readonly lastSeq: number;
}
