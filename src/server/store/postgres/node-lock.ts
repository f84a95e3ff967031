import { Client } from 'pg';
import { ChatError } from '../../../core/errors.ts';
import { clientConfig, jittered, type Patience } from './connections.ts';
import type { DatabaseAddress } from './database-address.ts';
import { lockNumber, lockSpace } from './migrate.ts';
import { openingError } from './opening-error.ts';
import { sessionOf } from './session.ts';
import { troubleOf } from './trouble.ts';

/** How a node shares its database with others. */
export interface NodeHold {
  /** `sole`: with no other node. `shared`: with others that are `shared`, which tell each other things by a bus. */
  readonly as: 'sole' | 'shared';
  /** Told once when another node has it otherwise, which can only be while the database was away: this node must end. */
  onLost(error: ChatError): void;
}

/** A hold that lasts until it is let go, over lost connections too. */
export interface HeldNode {
  letGo(): Promise<void>;
}

/** Takes a hold on the database; throws `unavailable` when other nodes have it otherwise, or when it cannot be reached. */
export type NodeLock = (hold: NodeHold) => Promise<HeldNode>;

/** Another node may be about to end: so long it is waited for, in milliseconds. */
const waitMs = 5_000;
/** How often it is looked whether the connection still holds. */
const lookMs = 5_000;
const againMs = 100;

/** Why a node cannot have the database the way it wants to. */
export const refusal: Readonly<Record<NodeHold['as'], string>> = {
  sole: 'another node uses this database: nodes that share one need a common bus, start each of them with --bus',
  shared: 'a node without a bus uses this database: stop it, or start it with the same --bus',
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Holds by a lock of the database that belongs to a connection: a node that dies lets go of it. The connection is made again when it is
 * lost, and the lock is taken again then.
 */
export function nodeLock(address: DatabaseAddress, patience: Patience): NodeLock {
  return async ({ as, onLost }) => {
    let client: Client | undefined;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;

    /** Connects and takes the lock; false when somebody else has it, or nobody wants it any more. */
    async function take(): Promise<boolean> {
      const { idle_in_transaction_session_timeout: _idle, ...config } = clientConfig(address, patience);
      const made = new Client(config);
      let isLost = false;
      made.on('error', () => {});
      made.once('end', () => {
        isLost = true;
        if (client === made) lost();
      });
      const session = sessionOf(made);
      // The database may have taken the connection and never answer.
      const late = setTimeout(() => session.drop(), patience.attemptMs);
      try {
        await made.connect();
        // A machine that has lost its power is found out soon.
        await session.execute(
          'SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2',
        );
        const call = as === 'sole' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared';
        const { rows } = await session.execute(`SELECT ${call}($1, $2) AS is_taken`, [
          lockSpace,
          lockNumber.node,
        ]);
        if ((rows as { is_taken: boolean }[])[0]?.is_taken !== true || isOver) {
          await made.end();
          return false;
        }
      } catch (error) {
        void made.end().catch(() => {});
        throw error;
      } finally {
        clearTimeout(late);
      }
      client = made;
      if (isLost) lost();
      else look();
      return true;
    }

    /** A connection that is gone without a word is found by asking. */
    function look(): void {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const asked = client;
        if (!asked || isOver) return;
        const session = sessionOf(asked);
        const late = setTimeout(() => session.drop(), patience.attemptMs);
        session.execute('SELECT 1').then(
          () => {
            clearTimeout(late);
            if (client === asked && !isOver) look();
          },
          () => {
            clearTimeout(late);
            session.drop();
          },
        );
      }, lookMs);
    }

    function lost(): void {
      clearTimeout(timer);
      client = undefined;
      if (!isOver) void takeAgain();
    }

    async function takeAgain(): Promise<void> {
      let refusedAt: number | undefined;
      for (let tries = 0; !isOver; tries++) {
        try {
          if (await take()) return;
          // The database may not know yet that the old connection is gone.
          refusedAt ??= performance.now();
          if (performance.now() - refusedAt >= waitMs + patience.statementMs) break;
        } catch {
          refusedAt = undefined;
        }
        await pause(Math.min(jittered(againMs * 2 ** Math.min(tries, 5)), patience.maxRetryMs));
      }
      if (!isOver) onLost(new ChatError('unavailable', refusal[as]));
    }

    const end = performance.now() + waitMs;
    while (!(await taken(take, address))) {
      if (performance.now() >= end) throw new ChatError('unavailable', refusal[as]);
      await pause(againMs);
    }
    return {
      async letGo() {
        isOver = true;
        clearTimeout(timer);
        const held = client;
        client = undefined;
        if (!held) return;
        // Who cannot be told is left all the same.
        const late = setTimeout(() => sessionOf(held).drop(), patience.connectMs);
        await held.end().finally(() => clearTimeout(late));
      },
    };
  };
}

async function taken(take: () => Promise<boolean>, address: DatabaseAddress): Promise<boolean> {
  try {
    return await take();
  } catch (error) {
    throw openingError(troubleOf(error), address);
  }
}
