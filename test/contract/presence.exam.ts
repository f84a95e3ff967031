import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Username } from '../../src/core/model/username.ts';
import type { PresenceBoard, PresenceChange } from '../../src/core/ports/presence-board.ts';

/** Nodes that hear each other. */
export interface PresenceUnderExam {
  /** A board of one more node. */
  open(): ExaminedNode | Promise<ExaminedNode>;
  /** Has everything that is told be lost from now on, or told again. */
  setWeather(weather: 'fine' | 'lost'): void | Promise<void>;
  /** Lets go of what is left. */
  close(): void | Promise<void>;
  /** Lets time pass, in milliseconds. */
  pass(ms: number): Promise<void>;
}

/** A node with its board. */
export interface ExaminedNode {
  readonly board: PresenceBoard;
  /** Ends it as a crash would: it says nothing more. */
  kill(): void | Promise<void>;
}

/** One node of the exam: who is online there, and what it was told of the others. */
interface Node extends ExaminedNode {
  readonly here: Set<Username>;
  readonly changes: string[];
  /** Has people come (`alice`) and go (`-alice`). */
  tell(...names: string[]): void;
  elsewhere(): string[];
}

/** The exam that every board passes on which several nodes are. */
export function describePresenceBoard(
  name: string,
  make: () => PresenceUnderExam | Promise<PresenceUnderExam>,
): void {
  describe(name, () => {
    let under: PresenceUnderExam;
    let nodes: Node[];
    beforeEach(async () => {
      under = await make();
      nodes = [];
    });
    afterEach(async () => {
      for (const { board } of nodes) board.close();
      await under.close();
      vi.useRealTimers();
    });

    async function open(...names: string[]): Promise<Node> {
      const { board, kill } = await under.open();
      const here = new Set(names as Username[]);
      const changes: string[] = [];
      const node: Node = {
        board,
        kill,
        here,
        changes,
        tell(...told) {
          const made: PresenceChange[] = told.map((one) =>
            one.startsWith('-')
              ? { user: one.slice(1) as Username, online: false }
              : { user: one as Username, online: true },
          );
          for (const { user, online } of made) {
            if (online) here.add(user);
            else here.delete(user);
          }
          board.tell(made);
        },
        elsewhere: () => [...board.online()].sort(),
      };
      board.open({
        online: () => here,
        changedElsewhere(user, online) {
          // The board says so already, and tells nothing twice.
          expect(board.isOnline(user)).toBe(online);
          expect(changes.findLast((change) => change.endsWith(` ${user}`))).not.toBe(
            `${online ? '+' : '-'} ${user}`,
          );
          changes.push(`${online ? '+' : '-'} ${user}`);
        },
      });
      nodes.push(node);
      return node;
    }

    /** Waits until something is so, in steps of the time that passes there; throws when it is not within `ms`. */
    async function until(isSo: () => boolean, ms: number): Promise<void> {
      for (let passed = 0; !isSo(); passed += 100) {
        if (passed > ms)
          throw new Error(`not within ${ms} ms: ${JSON.stringify(nodes.map((n) => n.elsewhere()))}`);
        await under.pass(100);
      }
    }
    const sees = (node: Node, ...names: string[]) =>
      until(() => `${node.elsewhere()}` === `${names.sort()}`, 5_000);

    test('a new node learns all of the others at once, and they of it', async () => {
      const one = await open('alice', 'bob');
      const two = await open('carol');
      const three = await open();
      await sees(one, 'carol');
      await sees(two, 'alice', 'bob');
      await sees(three, 'alice', 'bob', 'carol');
      await until(() => nodes.every(({ board }) => board.nodes === 2), 5_000);
      expect(three.board.isOnline('alice' as Username)).toBe(true);
      expect(three.board.isOnline('dave' as Username)).toBe(false);
    });

    test('who comes and goes on one node does on the others, each told once and in order', async () => {
      const [one, two] = [await open(), await open()];
      await until(() => one.board.nodes === 1 && two.board.nodes === 1, 5_000);
      await under.pass(1_500);
      one.tell('alice');
      one.tell('bob', 'carol');
      one.tell('-alice', 'dave');
      await sees(two, 'bob', 'carol', 'dave');
      expect(two.changes).toEqual(['+ alice', '+ bob', '+ carol', '+ dave', '- alice']);
      expect(one.changes).toEqual([]);
    });

    test('who is online on two nodes goes offline with the last of them', async () => {
      const [one, two, watching] = [await open('alice'), await open('alice'), await open()];
      await sees(watching, 'alice');
      await until(() => watching.board.nodes === 2, 5_000);
      await under.pass(2_000);
      one.tell('-alice');
      await under.pass(2_000);
      expect(watching.elsewhere()).toEqual(['alice']);
      two.tell('-alice');
      await sees(watching);
      expect(watching.changes).toEqual(['+ alice', '- alice']);
    });

    test('of a node that stops nobody is online any more, at once', async () => {
      const [one, two] = [await open('alice', 'bob'), await open()];
      await sees(two, 'alice', 'bob');
      one.board.close();
      await until(() => two.board.nodes === 0, 2_000);
      expect(two.elsewhere()).toEqual([]);
      expect(two.changes.sort()).toEqual(['+ alice', '+ bob', '- alice', '- bob']);
    });

    test('of a node that dies nobody is online any more within 15 s, and until then nothing is doubted', async () => {
      const [one, two] = [await open('alice'), await open('bob')];
      await sees(two, 'alice');
      await one.kill();
      await under.pass(7_000);
      expect(two.elsewhere()).toEqual(['alice']);
      await until(() => two.board.nodes === 0, 8_000);
      expect(two.changes).toEqual(['+ alice', '- alice']);
    });

    test('what was lost while nobody could be heard is known within 5 s after that', async () => {
      const [one, two] = [await open('alice', 'bob'), await open('carol')];
      await sees(two, 'alice', 'bob');
      await sees(one, 'carol');
      await under.setWeather('lost');
      one.tell('-alice', 'dave');
      two.tell('erin');
      await under.pass(2_000);
      await under.setWeather('fine');
      await sees(two, 'bob', 'dave');
      await sees(one, 'carol', 'erin');
    });

    test('who cannot be heard is offline within 15 s, and online again within 5 s after that', async () => {
      const [one, two] = [await open('alice'), await open('bob')];
      await sees(one, 'bob');
      await sees(two, 'alice');
      await under.setWeather('lost');
      await until(() => one.elsewhere().length + two.elsewhere().length === 0, 15_000);
      await under.setWeather('fine');
      await sees(one, 'bob');
      await sees(two, 'alice');
      expect(one.changes).toEqual(['+ bob', '- bob', '+ bob']);
    });

    test('2,500 people come at once, and a node that is new knows all of them', async () => {
      const many = Array.from({ length: 2_500 }, (_, index) => `user${index}`).sort();
      const [one, two] = [await open(), await open()];
      one.tell(...many);
      await sees(two, ...many);
      await sees(await open(), ...many);
      one.tell(...many.slice(1).map((user) => `-${user}`));
      await sees(two, 'user0');
    });

    test('nobody is told anything while nothing changes', async () => {
      const [one, two] = [await open('alice'), await open('bob')];
      await sees(one, 'bob');
      await sees(two, 'alice');
      await under.pass(8_000);
      expect([one.changes, two.changes]).toEqual([['+ bob'], ['+ alice']]);
    });
  });
}
