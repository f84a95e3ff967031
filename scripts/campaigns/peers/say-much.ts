import { open } from '../people.ts';
import { othersLabel } from './bystander.ts';
import type { Scene } from './peer-campaign.ts';

/** More than the systems at both ends take for a connection by themselves: 12 MB. */
export const sayings = { messages: 800, size: 15_000, window: 8 } as const;

let loads = 0;

/** Sends to `#lobby` what all who follow are told. Answers its label. */
export async function sayMuch({ server: { port }, token }: Scene): Promise<string> {
  loads += 1;
  const label = `${othersLabel}${loads}`;
  const connection = await open(port, token);
  let number = 0;
  const lane = async (): Promise<void> => {
    while (number < sayings.messages) {
      number += 1;
      const text = `${label}.${number}.`.padEnd(sayings.size, ' x');
      await connection.call('message.send', { to: '#lobby', text, key: `${label}.${number}` });
    }
  };
  await Promise.all(Array.from({ length: sayings.window }, lane));
  await connection.close();
  return label;
}
