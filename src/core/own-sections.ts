/** The parts of what is kept about an account, in the order of an export. */
export const ownSections = [
  'account',
  'consents',
  'devices',
  'keys',
  'sessions',
  'certificates',
  'conversations',
  'messages',
  'invites',
  'audit',
] as const;

/** One of {@link ownSections}. */
export type OwnSection = (typeof ownSections)[number];
