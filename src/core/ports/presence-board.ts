import type { Username } from '../model/username.ts';

/** Somebody who came online on a node, or whose last connection there has gone. */
export interface PresenceChange {
  readonly user: Username;
  readonly online: boolean;
}

/** What a node shows to the others, and hears of them. */
export interface PresenceNode {
  /** Everybody who is online here. */
  online(): Iterable<Username>;
  /** Called when somebody is online elsewhere who was not, or is not any more; the board says so already. */
  changedElsewhere(user: Username, online: boolean): void;
}

/**
 * Who is online on the other nodes, as far as is known here. A hint: a node that dies or cannot be heard is believed for 15 s at most,
 * and one that is heard again is known again within 5 s.
 */
export interface PresenceBoard {
  /** Shows this node to the others and listens to them from now on; once. */
  open(node: PresenceNode): void;
  /** Tells the others who came and went here, in that order. Never throws and never waits. */
  tell(changes: readonly PresenceChange[]): void;
  /** True for who is online on another node. */
  isOnline(user: Username): boolean;
  /** Who is online on other nodes, each once. */
  online(): Iterable<Username>;
  /** Nodes that are known, this one not counted. */
  readonly nodes: number;
  /** Tells the others that nobody is online here any more, and stops. */
  close(): void;
}
