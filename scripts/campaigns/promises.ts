/** What a sender knows of one of its messages. The text is unique, and carries the sender and its count. */
export interface Sent {
  readonly to: string;
  readonly text: string;
  readonly sender: number;
  readonly count: number;
  /** Where the server said that it stands; undefined when no answer came. */
  readonly acknowledged: { readonly seq: number; readonly id: string } | undefined;
}

/** A message as a reader finds it. */
export interface Found {
  readonly seq: number;
  readonly id: string;
  readonly text: string;
}

/**
 * Holds what was stored against what was promised: every acknowledged message is there exactly once, where the answer said; nothing
 * is there twice; seqs have no gap after `after`; each sender's messages stand in the order in which they were sent. Answers what is
 * broken, one sentence each; empty when all is kept. `isElsewhere` knows the texts that others have sent, of which nothing is asked here.
 */
export function brokenPromises(
  to: string,
  after: number,
  found: readonly Found[],
  sent: readonly Sent[],
  isElsewhere: (text: string) => boolean = () => false,
): string[] {
  const broken: string[] = [];
  for (const [index, { seq }] of found.entries()) {
    if (seq !== after + index + 1) {
      broken.push(`${to}: after ${after + index} comes ${seq}`);
      break;
    }
  }
  const byText = new Map<string, Found>();
  for (const message of found) {
    const first = byText.get(message.text);
    if (first && !isElsewhere(message.text))
      broken.push(`${to}: ${message.text} stands at ${first.seq} and at ${message.seq}`);
    byText.set(message.text, message);
  }
  const lastOfSender = new Map<number, Found>();
  for (const { text, acknowledged, sender } of sent.filter((message) => message.to === to)) {
    const stored = byText.get(text);
    if (!stored) {
      if (acknowledged) broken.push(`${to}: ${text} was acknowledged as ${acknowledged.seq} and is lost`);
      continue;
    }
    if (acknowledged && (stored.seq !== acknowledged.seq || stored.id !== acknowledged.id)) {
      broken.push(`${to}: ${text} was acknowledged as ${acknowledged.seq} and stands at ${stored.seq}`);
    }
    const before = lastOfSender.get(sender);
    if (before && before.seq > stored.seq) broken.push(`${to}: ${text} stands before ${before.text}`);
    lastOfSender.set(sender, stored);
  }
  const known = new Set(sent.map(({ text }) => text));
  for (const { text, seq } of found)
    if (!known.has(text) && !isElsewhere(text)) broken.push(`${to}: nobody sent what stands at ${seq}`);
  return broken;
}
