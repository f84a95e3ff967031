import type { ChatError } from '../errors.ts';
import type { EventCodec } from '../events.ts';
import type { DoorName } from '../model/session.ts';
import type { InputOf, OperationName, OutputOf } from '../operations/index.ts';

/** What a refusal may depend on besides the error. */
export interface TextState {
  readonly isLoggedIn: boolean;
}

/** A call that a line of text asks for, with the spellings of its outcome, each without a line end. */
export interface TextCall<Input = object, Output = unknown> {
  readonly operation: string;
  readonly params: Input;
  /** What the params have besides on the next page of a listing; undefined after the last page. */
  readonly next?: (result: Output) => Partial<Input> | undefined;
  /** Spells the answer, from all pages; undefined for a call that is answered by its events alone. */
  readonly answer: (results: readonly Output[]) => string | undefined;
  readonly refuse: (error: ChatError, state: TextState) => string;
  /** Called for when the answer has been given. */
  readonly after?: TextCall;
}

/** What one line of text asks for. */
export type TextRequest =
  | { readonly kind: 'call'; readonly call: TextCall }
  /** Answered without a call. */
  | { readonly kind: 'answer'; readonly text: string }
  /** No request at all. */
  | { readonly kind: 'bad'; readonly text: string }
  | { readonly kind: 'close' };

/** What a line may depend on besides its text. */
export interface TextSource {
  /** True when the connection has shown a client certificate. */
  readonly hasCertificate: boolean;
}

/** A language of lines in which each request is answered in its turn. */
export interface TextCodec {
  readonly door: DoorName;
  readonly events: EventCodec;
  /** True when what was stored before an answer is told before it. */
  readonly tellsEventsFirst: boolean;
  /** Takes one line apart, without its end and never empty; never throws. */
  read(line: string, from?: TextSource): TextRequest;
  /** Spells what belongs to no request, without a line end. */
  spell(error: ChatError): string;
}

/** A request that calls an operation, checked against that operation's shapes. */
export function callRequest<N extends OperationName>(
  call: TextCall<InputOf<N>, OutputOf<N>> & { readonly operation: N },
): TextRequest {
  return { kind: 'call', call: call as unknown as TextCall };
}
