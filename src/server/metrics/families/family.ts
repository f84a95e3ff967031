import type { HistogramFigures } from '../../histogram.ts';
import type { ServerFigures } from '../figures.ts';

/** One number with what it is of. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One histogram with what it is of. */
export interface Distribution {
  readonly labels?: Readonly<Record<string, string>>;
  readonly figures: HistogramFigures;
}

/** One metric: its name by the conventions of Prometheus, and how it is read. Labels are of small closed sets, never of people or rooms. */
export type Family =
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'counter' | 'gauge';
      readonly read: (figures: ServerFigures) => readonly Sample[];
    }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'histogram';
      readonly read: (figures: ServerFigures) => readonly Distribution[];
    };

/** A number of the figures, if there is one. */
type Read = (figures: ServerFigures) => number | undefined;

function one(type: 'counter' | 'gauge', name: string, help: string, read: Read): Family {
  return {
    name,
    help,
    type,
    read(figures) {
      const value = read(figures);
      return value === undefined ? [] : [{ value }];
    },
  };
}

/** A metric of one number that only grows; absent while there is none. */
export const counter = (name: string, help: string, read: Read): Family => one('counter', name, help, read);
/** A metric of one number that goes up and down; absent while there is none. */
export const gauge = (name: string, help: string, read: Read): Family => one('gauge', name, help, read);
/** A metric of one histogram; absent while there is none. */
export const histogram = (
  name: string,
  help: string,
  read: (figures: ServerFigures) => HistogramFigures | undefined,
): Family => ({
  name,
  help,
  type: 'histogram',
  read(all) {
    const figures = read(all);
    return figures === undefined ? [] : [{ figures }];
  },
});

/** True as 1, false as 0; what is not known stays so. */
export const flag = (value: boolean | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);
/** Milliseconds in the seconds that Prometheus wants. */
export const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / 1_000;
