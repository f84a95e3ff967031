import { Lines } from './lines.ts';
import type { TestDoor } from './test-door.ts';

/** Document 5, where what is said arrives by itself. */
export const slash: TestDoor = {
  name: 'slash',
  door: 'slash',
  makes: 'open',
  showsPassword: true,
  async register(place, username, password) {
    const lines = new Lines(place);
    lines.say(`/register ${username} ${password}`);
    await lines.nextLike(/^Registration Succeeded$/);
    lines.close();
  },
  async logIn(place, username, credential) {
    const lines = new Lines(place);
    lines.say(`/login ${username} ${'token' in credential ? credential.token : credential.password}`);
    await lines.nextLike(/^Authentication Succeeded$/);
    /** Texts that came while something else was waited for. */
    const kept: string[] = [];
    async function nextText(): Promise<{ sender: string; to: string; text: string }> {
      const [line, sender = '', to = '', text = ''] = await lines.nextLike(
        /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (\S+): @(\S+) (.*)$/,
      );
      kept.push(line);
      return { sender, to, text };
    }
    return {
      async send(to, text) {
        lines.say(`@${to} ${text}`);
        for (;;) {
          const came = await nextText();
          if (came.sender === username && came.to === to && came.text === text) return;
        }
      },
      async read(from, count) {
        const own = (): string[] =>
          kept.flatMap((line) => {
            const [, sender, to, text = ''] = /(\S+): @(\S+) (.*)$/.exec(line) ?? [];
            return sender === from || to === from ? [text] : [];
          });
        while (own().length < count) await nextText();
        return own().slice(0, count);
      },
      ended: () => lines.ended(),
      close: () => lines.close(),
    };
  },
};
