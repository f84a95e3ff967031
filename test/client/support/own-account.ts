/** What `account.me` answers about an account of which nothing is to be said but its name. */
export function ownAccount(username: string): object {
  return {
    user_id: 'u',
    username,
    email: null,
    email_verified: false,
    privacy: 'private',
    admin: false,
    created_at: '2019-11-01T09:30:00.000Z',
    second_factor: { on: false, recovery_codes_left: 0 },
    session: { id: 's', device_id: 'd', device: 'a test', expires_at: '2999-01-01T00:00:00.000Z' },
  };
}
