import type * as z from 'zod';
import type { AuditNote } from './audit.ts';
import type { RareKind } from './limits.ts';
import type { Session } from './model/session.ts';
import type { Username } from './model/username.ts';
import type { Peer } from './peer.ts';
import type { Services } from './services.ts';

/** Who may call an operation. */
export type Access = 'anyone' | 'session' | 'admin';

/**
 * Which limit a call counts against (see `limits.ts`): `login`, `registration` and `mail-request` by address, the others by account; `join` for
 * rooms that are made, entered or left. `none` is bounded by what is in flight on its connection alone.
 */
export type Cost = 'none' | 'message' | Exclude<RareKind, 'mail'>;

/** What a handler gets besides its input; `session` is there exactly when the operation's access asks for one. */
export interface CallContext<A extends Access = Access> {
  readonly services: Services;
  readonly peer: Peer;
  readonly session: A extends 'anyone' ? Session | undefined : Session;
  /** The time of the call, UTC milliseconds. */
  readonly now: number;
  /** Says whom the call turned out to be about, for the audit trail: a caller without a session has no name before. */
  concerns(user: Username): void;
  /** Says more for the audit trail; never a secret or a message's text. What is said again about the same takes its place. */
  note(note: AuditNote): void;
}

/** One thing that can be asked of chat, as data: doors and codecs only spell it. */
export interface Operation<
  Name extends string = string,
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
  A extends Access = Access,
> {
  /** `noun.verb`, equal to the wire name. */
  readonly name: Name;
  readonly access: A;
  readonly cost: Cost;
  /** True when its calls, whatever their outcome, belong in the audit trail, but for those that say that they only go on with something. */
  readonly audited: boolean;
  /** True for what an account without a second factor may do where one is required. */
  readonly needsNoFactor?: true;
  /** True when calls of one connection may overlap with each other; the others wait for all before them. */
  readonly overlaps: boolean;
  /** True for what the owner of an account that is to be erased may still do. */
  readonly whileErasing?: true;
  readonly input: Input;
  readonly output: Output;
  handle(input: z.output<Input>, context: CallContext<A>): Promise<z.input<Output>>;
}

/** Declares an operation and checks its handler against its schemas. */
export function operation<
  const Name extends string,
  Input extends z.ZodType,
  Output extends z.ZodType,
  const A extends Access,
>(definition: Operation<Name, Input, Output, A>): Operation<Name, Input, Output, A> {
  return definition;
}
