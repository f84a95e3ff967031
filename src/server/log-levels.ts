/** From which level on a log's lines are written, the most talkative first. It stands apart, for the list of flags needs no logger. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];
