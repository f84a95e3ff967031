/** The login suite (security 1), loaded at the first login or registration: nothing else needs the password hash. */
export const loadCrypto = async () => {
  const [scram, stretching, verifier] = await Promise.all([
    import('../core/crypto/scram-client.ts'),
    import('../core/crypto/stretch.ts'),
    import('../core/crypto/verifier.ts'),
  ]);
  return { ...scram, ...stretching, ...verifier };
};
