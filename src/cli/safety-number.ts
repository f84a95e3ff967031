/** A safety number as twelve groups on three lines, to be read aloud. */
export function numberLines(number: string): string[] {
  const groups = number.split(' ');
  return [0, 4, 8].map((from) => groups.slice(from, from + 4).join(' '));
}
