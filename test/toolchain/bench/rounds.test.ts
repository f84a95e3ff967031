import { expect, test } from 'vitest';
import { inTurn } from '../../../scripts/bench/rounds.ts';

test('measurements take turns, all of them in each round', async () => {
  const order: string[] = [];
  let count = 0;
  const take = (name: string) => () => {
    order.push(name);
    count += 1;
    return count;
  };
  const taken = await inTurn(2, {
    chat: take('chat'),
    floor: async () => `after ${take('floor')()}`,
  });
  expect(order).toEqual(['chat', 'floor', 'chat', 'floor']);
  expect(taken).toEqual({ chat: [1, 3], floor: ['after 2', 'after 4'] });
});

test('one that fails ends the rounds', async () => {
  const broken = inTurn(3, {
    chat: () => 1,
    floor: () => Promise.reject(new Error('no disk')),
  });
  await expect(broken).rejects.toThrow('no disk');
});
