import type { Frame } from './frame.ts';

/** Another run of a node, as it is heard. */
export interface BusPeer {
  /** The name of its node, as its beats say it; empty before the first one. */
  readonly node: string;
  /** Which run of it: another one after each start. */
  readonly run: string;
  /** Beats of this node since it was heard last. */
  readonly beatsAgo: number;
}

/** What a frame means for whoever hears it. */
export type Hearing =
  /** The next one of its run; `isGap` when others of that run were lost before it. */
  | { readonly isNew: true; readonly isGap: boolean }
  /** One that was heard before, or is older than what was. */
  | { readonly isNew: false };

interface Known {
  node: string;
  count: number;
  lastBeat: number;
  state: 'heard' | 'silent' | 'gone';
}

/** Beats without a word after which a run is taken to be silent. */
export const silentAfterBeats = 3;
/** Beats after which a silent run is forgotten: by then its old frames are too old to be taken. */
const forgottenAfterBeats = 300;

/** Whom a node hears, and how far each of them has counted. */
export function createPeers() {
  const known = new Map<string, Known>();
  let beat = 0;

  return {
    /** True for a run that was heard, and not so long ago that it is forgotten. */
    knows: (run: string): boolean => known.has(run),
    /** Takes note of a frame whose maker has shown the key. */
    hear({ run, count, kind }: Frame): Hearing {
      let peer = known.get(run);
      if (!peer) {
        peer = { node: '', count: 0, lastBeat: beat, state: 'heard' };
        known.set(run, peer);
      }
      if (count <= peer.count) return { isNew: false };
      const isGap = count !== peer.count + 1;
      peer.count = count;
      peer.lastBeat = beat;
      peer.state = kind === 'bye' ? 'gone' : 'heard';
      return { isNew: true, isGap };
    },
    name(run: string, node: string): void {
      const peer = known.get(run);
      if (peer) peer.node = node;
    },
    /** Lets one beat pass; answers the runs that are silent from now on. */
    pass(): string[] {
      beat += 1;
      const silent: string[] = [];
      for (const [run, peer] of known) {
        const ago = beat - peer.lastBeat;
        if (ago > forgottenAfterBeats) known.delete(run);
        else if (peer.state === 'heard' && ago > silentAfterBeats) {
          peer.state = 'silent';
          silent.push(run);
        }
      }
      return silent;
    },
    /** Those that are heard, or were until they fell silent without a goodbye. */
    list(): BusPeer[] {
      return [...known]
        .filter(([, { state }]) => state === 'heard')
        .map(([run, { node, lastBeat }]) => ({ node, run, beatsAgo: beat - lastBeat }));
    },
  };
}
