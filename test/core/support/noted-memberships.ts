import type { MembershipNote } from '../../../src/core/feed/membership-notes.ts';
import type { ConversationRef } from '../../../src/core/model/conversation-name.ts';
import type { UserId } from '../../../src/core/model/ids.ts';
import type { Username } from '../../../src/core/model/username.ts';
import type { Store } from '../../../src/core/ports/store.ts';
import type { ReadMemberships } from '../../../src/server/membership-watch.ts';

/** A store that notes who enters and leaves, as PostgreSQL does it by itself; all nodes of a test have it in common. */
export class NotedMemberships {
  readonly #notes: MembershipNote[] = [];
  readonly #names = new Map<UserId, Username>();

  readonly wrap = (store: Store): Store => {
    const note = async (kind: MembershipNote['kind'], userId: UserId, ref: ConversationRef) => {
      const username = this.#names.get(userId);
      const conversation = await store.conversation({ userId, ref });
      if (!username || 'kind' in conversation) return undefined;
      return { kind, userId, username, conversation } satisfies MembershipNote;
    };
    const keep = (one: MembershipNote | undefined): void => {
      if (one) this.#notes.push(one);
    };
    return {
      ...store,
      createAccount: async (made) => {
        this.#names.set(made.account.id, made.account.username);
        return await store.createAccount(made);
      },
      joinRoom: async (join) => {
        const outcome = await store.joinRoom(join);
        if (outcome === 'joined') keep(await note('joined', join.userId, { kind: 'room', room: join.room }));
        return outcome;
      },
      leaveRoom: async (leave) => {
        const before = await note('left', leave.userId, { kind: 'room', room: leave.room });
        const outcome = await store.leaveRoom(leave);
        if (outcome === 'left') keep(before);
        return outcome;
      },
      createRoom: async (made) => {
        const outcome = await store.createRoom(made);
        if (outcome === 'created') keep(await note('joined', made.by, { kind: 'room', room: made.room }));
        return outcome;
      },
      appendMessage: async (message) => {
        const outcome = await store.appendMessage(message);
        if ('seq' in outcome && outcome.seq === 1 && outcome.audience.kind === 'direct') {
          for (const [userId, name] of this.#names) {
            const peer = outcome.audience.users.find((user) => user !== name) ?? name;
            if (outcome.audience.users.includes(name))
              keep(await note('joined', userId, { kind: 'direct', peer }));
          }
        }
        return outcome;
      },
    };
  };

  /** What a node reads of it. */
  readonly read: ReadMemberships<number> = async (since = this.#notes.length) => ({
    changes: this.#notes.slice(since),
    isWhole: true,
    next: this.#notes.length,
  });
}
