import { mkdtemp, rm } from 'node:fs/promises';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ClientLibrary } from '../../../src/cli/client-library.ts';
import {
  BrokenPipe,
  type ByteSource,
  type EndSignal,
  type Host,
  type Prompts,
  type TextSink,
} from '../../../src/cli/host.ts';
import { run } from '../../../src/cli/main.ts';
import { fakeClient } from './fake-client.ts';

/** The time of every test: 2026-11-21 06:00:00 UTC. */
export const testNow = Date.parse('2026-11-21T06:00:00.000Z');

/** A sink that keeps what was written. */
export interface FakeSink extends TextSink {
  text: string;
  /** From now on writes reject, as when the reader has gone. */
  break(): void;
}

export function fakeSink(isTerminal = false): FakeSink {
  const gone = new AbortController();
  return {
    text: '',
    isTerminal,
    columns: isTerminal ? 100 : undefined,
    gone: gone.signal,
    isReaderGone: () => gone.signal.aborted,
    isAmidLine: () => false,
    write(text) {
      if (gone.signal.aborted) return Promise.reject(new BrokenPipe('gone'));
      this.text += text;
      return undefined;
    },
    async flush() {
      if (gone.signal.aborted) throw new BrokenPipe('gone');
    },
    break() {
      gone.abort();
    },
  };
}

/** What a test says about the outside. */
export interface Outside {
  readonly env?: Record<string, string>;
  readonly stdin?: string | Uint8Array | readonly Uint8Array[];
  /** Stands in for stdin itself. */
  readonly source?: ByteSource;
  /** True: stdin, stdout and stderr are one terminal. */
  readonly terminal?: boolean;
  /** Answers to prompts, in order. */
  readonly typed?: readonly string[];
  readonly client?: Partial<ClientLibrary>;
  /** Replaces the temporary state directory's parent. */
  readonly stateHome?: string;
  readonly hostName?: string;
}

/** A host in the test's hands. */
export interface FakeHost extends Host {
  readonly stdout: FakeSink;
  readonly stderr: FakeSink;
  readonly stateHome: string;
  readonly asked: string[];
  signal(signal: EndSignal): void;
}

/** A directory that is removed after the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'chat-cli-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function* chunksOf(stdin: Outside['stdin']): AsyncIterable<Uint8Array> {
  if (stdin === undefined) return;
  if (typeof stdin === 'string') yield Buffer.from(stdin);
  else if (stdin instanceof Uint8Array) yield stdin;
  else yield* stdin;
}

export async function fakeHost(outside: Outside = {}): Promise<FakeHost> {
  const stateHome = outside.stateHome ?? (await temporaryDirectory());
  const listeners = new Set<(signal: EndSignal) => void>();
  const typed = [...(outside.typed ?? [])];
  const asked: string[] = [];
  const answer = (question: string): string => {
    asked.push(question);
    const next = typed.shift();
    if (next === undefined) throw new Error(`nobody expected the question ${JSON.stringify(question)}`);
    return next;
  };
  const isTerminal = outside.terminal ?? false;
  const prompts: Prompts = {
    async text(question, { optional } = { optional: false }) {
      const typed = answer(question);
      if (typed.trim() === '' && !optional)
        throw new Error(`${JSON.stringify(question)} takes no empty answer`);
      return typed;
    },
    secret: async (question) => answer(question),
    confirm: async (question) => answer(question) === 'yes',
    choose: async (question, choices) => {
      const wanted = answer(question);
      const found = choices.find(({ name }) => name === wanted);
      if (found === undefined)
        throw new Error(`${wanted} is none of ${choices.map(({ name }) => name).join(', ')}`);
      return found.value;
    },
  };
  return {
    env: {
      XDG_STATE_HOME: stateHome,
      XDG_CONFIG_HOME: join(stateHome, 'config'),
      // Whatever this machine's own settings are, no test goes by them.
      CHAT_SYSTEM_CONFIG: devNull,
      ...outside.env,
    },
    stdin: outside.source ?? { isTerminal, bytes: () => chunksOf(outside.stdin) },
    stdout: fakeSink(isTerminal),
    stderr: fakeSink(isTerminal),
    prompts,
    plainPrompts: prompts,
    terminal: undefined,
    platform: 'linux',
    homeDirectory: join(stateHome, 'home'),
    hostName: outside.hostName ?? 'test-machine',
    processId: process.pid,
    userId: process.getuid?.(),
    now: () => testNow,
    version: async () => '1.2.3',
    licenses: async () => 'chat: MIT\n',
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    client: { ...fakeClient(), ...outside.client },
    stateHome,
    asked,
    signal(signal) {
      for (const listener of [...listeners]) listener(signal);
    },
  };
}

/** What a command line did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line on `host` and answers what it wrote since. */
export async function runOn(host: FakeHost, ...argv: string[]): Promise<Outcome> {
  host.stdout.text = '';
  host.stderr.text = '';
  const code = await run(argv, host);
  return { code, stdout: host.stdout.text, stderr: host.stderr.text };
}

/** Runs one command line in a world of its own. */
export async function chat(argv: readonly string[], outside: Outside = {}): Promise<Outcome> {
  return await runOn(await fakeHost(outside), ...argv);
}
