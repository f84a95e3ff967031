import { type HttpRoute, httpRoute } from '../http-route.ts';

/** Messages, read and sent. */
export const conversationRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/conversations',
    summary: "The caller's conversations with their last message's number and the read marker.",
    operation: 'conversation.list',
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/conversations/{to}/messages',
    summary: 'A page of a conversation (`%23room` or `@user`) in order of `seq`.',
    operation: 'message.history',
    query: { after: 'number', before: 'number', limit: 'number', newest: 'flag' },
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/search',
    summary: 'Messages by their words, newest first, in everything that the caller may read or in `to`.',
    operation: 'message.search',
    query: { q: 'text', to: 'text', before: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/conversations/{to}/messages',
    summary:
      'Sends a message; answers when it is on disk. The same `Idempotency-Key` gets the first answer again.',
    operation: 'message.send',
    headers: { 'idempotency-key': 'key' },
    body: ['text', 'envelope'],
    status: 201,
  }),
  httpRoute({
    method: 'PUT',
    path: '/api/conversations/{to}/read',
    summary: 'Moves the read marker forward, never back.',
    operation: 'conversation.mark-read',
    body: ['seq'],
    status: 200,
  }),
];
