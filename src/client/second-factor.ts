import { ChatError } from '../core/errors.ts';

/** Where the second factor's code comes from, when the server requires one. */
export interface CodeSource {
  /** A code that is at hand. */
  readonly otp?: string | undefined;
  /** Asks a person for one, and tells why the one before was refused; left out where nobody is there. */
  readonly askOtp?: ((refused?: ChatError) => Promise<string>) | undefined;
}

/** How often a person may type a code before the password is asked for anew; the server bears two more. */
const mostTries = 3;

/** Makes a call with the code that is at hand, and again with ones that are asked for, three times at most, when the server requires one. */
export async function withCode<T>(
  { otp, askOtp }: CodeSource,
  call: (code: { readonly otp?: string }) => Promise<T>,
): Promise<T> {
  try {
    return await call(otp === undefined ? {} : { otp });
  } catch (error) {
    const isAsked = error instanceof ChatError && error.code === 'second-factor-required';
    if (!isAsked || otp !== undefined || !askOtp) throw error;
  }
  let refused: ChatError | undefined;
  for (let triesLeft = mostTries; ; triesLeft -= 1) {
    try {
      return await call({ otp: await askOtp(refused) });
    } catch (error) {
      // The secret was proven before: what is refused now is the code.
      const isWrong = error instanceof ChatError && error.code === 'unauthenticated';
      if (!isWrong || triesLeft === 1) throw error;
      refused = error;
    }
  }
}
