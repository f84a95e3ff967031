import { ChatError } from '../errors.ts';
import type { InputOf, OperationName, OutputOf } from '../operations/index.ts';

/** Serves one call for the request's peer. */
export type FormCall = <N extends OperationName>(name: N, input: InputOf<N>) => Promise<OutputOf<N>>;

/** What a form may carry: one text for each name; from JSON also other values, which the operations judge. */
export type FormFields = Readonly<Record<string, unknown>>;

/** Who asks, as its browser says. */
export interface FormCaller {
  readonly call: FormCall;
  /** The id in the device cookie. */
  readonly deviceId: string | undefined;
  /** What the session list may call a new device. */
  readonly deviceLabel: string | undefined;
}

/** What a form is answered with. */
export interface FormAnswer {
  readonly body: Readonly<Record<string, unknown>>;
  /** The session's token for its cookie; null takes the cookie away. It stands in no body (ASVS 3.3.4). */
  readonly sessionToken?: string | null;
  /** For the device cookie. */
  readonly deviceId?: string;
}

/** One page of the cookie workflow as data (document 4; spec K12): adding one is adding an entry, whatever else stands. */
export interface FormRoute {
  /** Exactly what stands in the address, for example `/login`; every route is a POST. */
  readonly path: string;
  /** True: served to nobody without a session's cookie and that session's CSRF token, which are checked before it runs. */
  readonly isProtected: boolean;
  readonly status: 200 | 201;
  /** The fields that may stand in the body; `ignored` reads none whatever there is. */
  readonly fields: readonly string[] | 'ignored';
  serve(fields: FormFields, caller: FormCaller): Promise<FormAnswer>;
}

const register: FormRoute = {
  path: '/register',
  isProtected: false,
  status: 201,
  fields: ['username', 'email', 'password', 'certificate', 'invite', 'accept_terms'],
  async serve({ certificate, ...fields }, { call }) {
    const { user_id, username } = await call('account.register', {
      ...fields,
      ...shownCertificate(certificate),
    });
    return { body: { user_id, username } };
  },
};

/** The field `certificate` of a form: `true` stands for the one that the connection has shown, an empty one is none. */
function shownCertificate(field: unknown): { certificate?: true } {
  if (field === undefined || field === '') return {};
  if (field === 'true' || field === true) return { certificate: true };
  throw new ChatError('invalid', 'certificate: true stands for the one that this connection shows', {
    field: 'certificate',
  });
}

const login: FormRoute = {
  path: '/login',
  isProtected: false,
  status: 200,
  fields: ['username', 'email', 'password', 'certificate', 'otp', 'session_token'],
  async serve(fields, caller) {
    const opened = await openedBy(fields, caller);
    const { csrf_token } = await caller.call('session.issue-csrf-token', {});
    const { user_id, username, expires_at, ...cookies } = opened;
    return { body: { csrf_token, user_id, username, expires_at }, ...cookies };
  },
};

/** Opens a session, or with `session_token` goes on with one; that one has a device of its own, wherever it is. */
async function openedBy(fields: FormFields, { call, deviceId, deviceLabel }: FormCaller) {
  const { otp, session_token: token, certificate, ...rest } = fields;
  // A form may always have its fields: an empty one is none.
  if (token !== undefined && token !== '') {
    const device = deviceId === undefined ? {} : { device: { id: deviceId } };
    // Whoever has a session has given its code.
    const input = { ...rest, session_token: token as string, ...device };
    const { user_id, username, expires_at } = await call('login.resume', input);
    return { user_id, username, expires_at, sessionToken: token as string };
  }
  const device = {
    ...(deviceId === undefined ? {} : { id: deviceId }),
    ...(deviceLabel === undefined ? {} : { default_label: deviceLabel }),
  };
  const code = otp === undefined ? {} : { otp: otp as string };
  const opened = shownCertificate(certificate).certificate
    ? await call('login.certificate', { ...(rest as { username: string }), ...code, device })
    : await call('login.password', { ...(rest as { password: string }), ...code, device });
  const { user_id, username, expires_at, session_token: sessionToken, device_id } = opened;
  return { user_id, username, expires_at, sessionToken, deviceId: device_id };
}

const protectedPage: FormRoute = {
  path: '/protected',
  isProtected: true,
  status: 200,
  fields: [],
  async serve(_fields, { call }) {
    return { body: await account(call) };
  },
};

const dashboard: FormRoute = {
  path: '/dashboard',
  isProtected: true,
  status: 200,
  fields: [],
  async serve(_fields, { call }) {
    const own = await account(call);
    const { sessions } = await call('session.list', {});
    const { conversations } = await call('conversation.list', {});
    const counted = conversations.map(({ to, last_seq, read_seq }) => ({
      to,
      last_seq,
      read_seq,
      unread: Math.max(0, last_seq - read_seq),
    }));
    return {
      body: {
        ...own,
        sessions,
        rooms: counted.filter(({ to }) => to.startsWith('#')),
        direct: counted.filter(({ to }) => !to.startsWith('#')),
        unread: counted.reduce((sum, { unread }) => sum + unread, 0),
      },
    };
  },
};

/** Who the session belongs to, and until when. */
async function account(call: FormCall) {
  const { user_id, username, email, session } = await call('account.me', {});
  return { user_id, username, email, expires_at: session.expires_at };
}

const logout: FormRoute = {
  path: '/logout',
  isProtected: true,
  status: 200,
  // The cookie says who logs out (spec K10).
  fields: 'ignored',
  async serve(_fields, { call }) {
    await call('session.end', {});
    return { body: { logged_out: true }, sessionToken: null };
  },
};

/** The pages that are served, by path. One that is added is served from then on, with the same checks (spec K12). */
export type FormPages = ReadonlyMap<string, FormRoute>;

/** The cookie workflow (spec K), one entry for each page. */
export function formPages(): Map<string, FormRoute> {
  return new Map([register, login, protectedPage, dashboard, logout].map((page) => [page.path, page]));
}
