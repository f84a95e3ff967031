import { type HttpRoute, httpRoute } from '../http-route.ts';

/** Who is there: users, and rooms with their members. */
export const roomRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/users',
    summary: 'Who is online, or with `all=true` every account, in order of name, a page at a time.',
    operation: 'user.list',
    query: { all: 'flag', after: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/rooms',
    summary: 'All rooms in order of name, a page at a time.',
    operation: 'room.list',
    query: { after: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'POST',
    path: '/api/rooms',
    summary: 'Makes a room with the caller in it.',
    operation: 'room.create',
    body: ['room'],
    status: 201,
  }),
  httpRoute({
    method: 'GET',
    path: '/api/rooms/{room}/members',
    summary: 'Who is in a room, in order of name, a page at a time.',
    operation: 'room.members',
    query: { after: 'text', limit: 'number' },
    status: 200,
  }),
  httpRoute({
    method: 'PUT',
    path: '/api/rooms/{room}/members/me',
    summary: 'Enters a room.',
    operation: 'room.join',
    body: [],
    status: 200,
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/rooms/{room}/members/me',
    summary: 'Leaves a room.',
    operation: 'room.leave',
    status: 204,
  }),
];
