import type * as z from 'zod';

/** How a value is called that has the wrong type. */
const expectations: Readonly<Record<string, string>> = {
  string: 'a text is expected',
  number: 'a number is expected',
  int: 'a whole number is expected',
  boolean: 'true or false is expected',
  object: 'a JSON object is expected',
  array: 'a list is expected',
};
const formats: Readonly<Record<string, string>> = {
  uuid: 'a UUID is expected',
  datetime: 'a time as in 2026-01-31T12:00:00Z is expected',
};
const misfit = 'it does not fit';

/** What a schema's own refusals are called, after the field's name; a shape that says something better by itself is heard. */
export function issueText(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      // The whole input has no name that could stand before it.
      if (issue.input === undefined && issue.expected !== 'object') return 'give one';
      return expectations[issue.expected] ?? misfit;
    case 'invalid_value':
      return `${issue.values.map(String).join(' or ')} is expected`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${counted(issue.origin, issue.maximum)}`;
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${counted(issue.origin, issue.minimum)}`;
    case 'invalid_format':
      return formats[issue.format] ?? misfit;
    default:
      return misfit;
  }
}

function counted(origin: string, count: number | bigint): string {
  if (origin === 'string') return `${count} ${Number(count) === 1 ? 'character' : 'characters'}`;
  if (origin === 'array') return `${count} ${Number(count) === 1 ? 'entry' : 'entries'}`;
  return String(count);
}
