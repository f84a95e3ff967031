/** The database's file in the data directory. */
export const databaseName = 'chat.db';
