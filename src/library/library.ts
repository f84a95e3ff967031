/**
 * What the npm package `chat` gives a program: this list is its whole contract, and what is not in it may change (docs/library.md).
 * Errors are {@link ChatError}s, with a code of the closed set.
 */
export { ChatError, type ErrorCode, type ErrorDetails } from '../core/errors.ts';
export type {
  Chat,
  ConnectionState,
  ConnectOptions,
  Following,
  FollowOptions,
  HistoryOptions,
  Message,
  Room,
  SendOptions,
  StartOptions,
  Stored,
  User,
} from './contract.ts';
export { connect } from './open-chat.ts';
