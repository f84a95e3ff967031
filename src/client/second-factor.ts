import { ChatError } from '../core/errors.ts';

/** Where the second factor's code comes from, when the server requires one. */
export interface CodeSource {
  /** A code that is at hand. */
  readonly otp?: string | undefined;
  /** Asks a person for one; left out where nobody is there. */
  readonly askOtp?: (() => Promise<string>) | undefined;
}

/** Makes a call with the code that is at hand, and once more with one that was asked for, when the server requires one. */
export async function withCode<T>(
  { otp, askOtp }: CodeSource,
  call: (code: { readonly otp?: string }) => Promise<T>,
): Promise<T> {
  try {
    return await call(otp === undefined ? {} : { otp });
  } catch (error) {
    const isAsked = error instanceof ChatError && error.code === 'second-factor-required';
    if (!isAsked || otp !== undefined || !askOtp) throw error;
    return await call({ otp: await askOtp() });
  }
}
