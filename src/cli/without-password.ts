/** An address as it may be shown: one like `postgres://chat:secret@host/` carries a password, which is nobody's to see. */
export function withoutPassword(value: string): string {
  return value.replace(/(\/\/[^\s/:@]*):[^\s/@]*@/, '$1:***@');
}
