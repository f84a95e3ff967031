/** Apart from the keys, since every start loads it: what is wrong on a device that does not have its account's keys, and what brings them. */
export const noKeysText =
  'this machine has no keys of this account: chat keys restore brings them (in a script: --recovery-file FILE)';
