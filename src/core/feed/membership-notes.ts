import type { ConversationId, UserId } from '../model/ids.ts';
import type { ConversationView } from '../model/message.ts';
import type { Username } from '../model/username.ts';
import type { Store } from '../ports/store.ts';
import type { Reader } from './followers.ts';

/** That somebody came into a conversation or left it, as a store notes it that several nodes share. */
export interface MembershipNote {
  readonly kind: 'joined' | 'left';
  readonly userId: UserId;
  readonly username: Username;
  /** As its user sees it; of who has joined, `readSeq` is where the marker stood at the entry. */
  readonly conversation: ConversationView;
}

/** Makes good for notices of who entered and left that were lost. */
export interface MembershipNotes {
  /** Takes notes that may have been told by notices before, or be undone by now; an empty list tries again what has failed. */
  take(notes: readonly MembershipNote[]): void;
  /** Anything may have changed. */
  takeAnything(): void;
  /** Takes what a notice tells: the same, but sooner. */
  told(note: MembershipNote): void;
  stop(): void;
}

/** What these notes need. */
export interface MembershipNotesParts {
  readonly store: Pick<Store, 'conversation' | 'conversations'>;
  /** Connections of a user that follow something. */
  readonly readersOf: (user: Username) => Iterable<Reader>;
  readonly readers: () => Iterable<Reader>;
  readonly start: (
    user: Username,
    conversation: ConversationView,
    after: number,
    how: 'told' | 'noted',
  ) => void;
  readonly stop: (userId: UserId, conversation: ConversationId) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Something to be looked at. */
interface Look extends MembershipNote {
  readonly how: 'told' | 'noted';
}

/** All conversations of a user are to be looked at. */
interface WholeLook {
  readonly kind: 'everything';
  readonly userId: UserId;
  readonly username: Username;
}

/** Notes that may wait; beyond it all conversations of their users are looked at instead. */
const maxWaiting = 10_000;
/** After so many failures in a row the store is taken to be away: the rest waits until something is taken again. */
const maxFailuresInRow = 3;

/** What is being asked about one conversation of a user, or about all. */
interface Question {
  readonly of: UserId;
  readonly about: ConversationId | undefined;
  isStale: boolean;
}

/**
 * Builds the notes of one node. A note says where to look, and the store what is: so a note that comes twice, late or after the
 * next change does no harm.
 */
export function createMembershipNotes(parts: MembershipNotesParts): MembershipNotes {
  const { store, readersOf, onFailure } = parts;
  const questions = new Set<Question>();
  const waiting = new Set<Look>();
  /** One for each user at most, so that there are never more than readers. */
  const whole = new Map<UserId, WholeLook>();
  let isWorking = false;
  let isFailing = false;
  let isStopped = false;

  /** Asks until the answer is not older than the last notice of that user: those of others would never let it end. */
  async function ask<T>(of: UserId, about: ConversationId | undefined, what: () => Promise<T>): Promise<T> {
    const question: Question = { of, about, isStale: false };
    questions.add(question);
    try {
      for (;;) {
        question.isStale = false;
        const answer = await what();
        if (!question.isStale) return answer;
      }
    } finally {
      questions.delete(question);
    }
  }

  /** True where nothing could come of a look. */
  function isKnown({ kind, how, username, conversation: { id } }: Look): boolean {
    const readers = [...readersOf(username)];
    // Who begins to follow at this moment may have asked before the leave: only nobody at all is sure.
    if (kind === 'left') return readers.length === 0;
    return readers.every(
      ({ newOnes, followers, held, unwanted }) =>
        newOnes === 'ignored' || followers.has(id) || held.has(id) || (how === 'noted' && unwanted.has(id)),
    );
  }

  async function settle(note: Look): Promise<void> {
    if (isKnown(note)) return;
    const { userId, username, conversation } = note;
    const { id, ref, readSeq } = conversation;
    const view = await ask(userId, id, () => store.conversation({ userId, ref }));
    if (isStopped) return;
    if ('kind' in view) parts.stop(userId, id);
    else if (note.kind === 'joined') parts.start(username, view, ref.kind === 'room' ? readSeq : 0, note.how);
  }

  async function settleWhole({ userId, username }: WholeLook): Promise<void> {
    if ([...readersOf(username)].length === 0) return;
    const views = await ask(userId, undefined, () => store.conversations({ userId }));
    if (isStopped) return;
    const ids = new Set(views.map(({ id }) => id));
    for (const { followers, held } of readersOf(username)) {
      for (const id of [...followers.keys(), ...held.keys()]) if (!ids.has(id)) parts.stop(userId, id);
    }
    for (const view of views) {
      parts.start(username, view, view.ref.kind === 'room' ? view.readSeq : 0, 'noted');
    }
  }

  /** Takes out what has waited longest. */
  function next(): Look | WholeLook | undefined {
    for (const [userId, look] of whole) {
      whole.delete(userId);
      return look;
    }
    for (const look of waiting) {
      waiting.delete(look);
      return look;
    }
    return undefined;
  }

  async function work(): Promise<void> {
    if (isWorking) return;
    isWorking = true;
    const failed: (Look | WholeLook)[] = [];
    let failuresInRow = 0;
    while (!isStopped && failuresInRow < maxFailuresInRow) {
      const look = next();
      if (!look) break;
      try {
        await (look.kind === 'everything' ? settleWhole(look) : settle(look));
        failuresInRow = 0;
      } catch (error) {
        failed.push(look);
        failuresInRow += 1;
        if (!isFailing) onFailure(error);
        isFailing = true;
      }
    }
    isWorking = false;
    if (failed.length === 0) isFailing = false;
    // Behind what has come meanwhile: what always fails keeps nothing else waiting.
    for (const look of failed) put(look);
  }

  function put(look: Look | WholeLook): void {
    if (isStopped) return;
    if (look.kind === 'everything') whole.set(look.userId, look);
    else waiting.add(look);
    if (waiting.size <= maxWaiting) return;
    for (const { userId, username } of waiting) whole.set(userId, { kind: 'everything', userId, username });
    waiting.clear();
  }

  function add(looks: readonly Look[]): void {
    for (const look of looks) if (!isKnown(look)) put(look);
    void work();
  }

  return {
    take: (notes) => add(notes.map((note) => ({ ...note, how: 'noted' }))),
    told(note) {
      for (const question of questions) {
        const isAbout = question.about === undefined || question.about === note.conversation.id;
        if (isAbout && question.of === note.userId) question.isStale = true;
      }
      add([{ ...note, how: 'told' }]);
    },
    takeAnything() {
      // Whatever is to be looked at is looked at then.
      waiting.clear();
      for (const { userId, username } of parts.readers()) put({ kind: 'everything', userId, username });
      void work();
    },
    stop() {
      isStopped = true;
      waiting.clear();
      whole.clear();
    },
  };
}
