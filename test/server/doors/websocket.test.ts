import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { guardReading } from '../../../src/server/doors/websocket.ts';

it('what a reader of a socket throws goes to its guard, and the reader can still be taken away', () => {
  const socket = new Socket();
  const caught: unknown[] = [];
  const bug = new Error('thrown while reading');
  const read = function (this: Socket): void {
    if (this === socket) throw bug;
  };
  socket.on('data', read);
  guardReading(socket, (action) => {
    try {
      action();
    } catch (error) {
      caught.push(error);
    }
  });
  socket.emit('data', Buffer.of(1));
  expect(caught).toEqual([bug]);
  socket.off('data', read);
  expect(socket.listenerCount('data')).toBe(0);
});
