import { configDirectory, type Place, stateDirectory, systemDirectory } from '../directories.ts';
import type { Row } from '../help.ts';

const placeOn = (platform: NodeJS.Platform): Place => ({ env: {}, platform, homeDirectory: '~' });
const linux = placeOn('linux');
const macos = placeOn('darwin');

const dataDirectory = '~/.local/share/chat';

/** What stands before the list: where the same files are on macOS. */
export const placesElsewhere =
  `On macOS ${configDirectory(macos)} stands for ${configDirectory(linux)} and for ${stateDirectory(linux)}, data in it for ` +
  `${dataDirectory}, and ${systemDirectory(macos)} for ${systemDirectory(linux)}. What is a person's own is for its owner alone.`;

/** Every file and directory of the program that a person may come upon, and what it is. */
export const files: readonly Row[] = [
  [`${configDirectory(linux)}/config.yaml`, 'your own settings (see chat config)'],
  [`${configDirectory(linux)}/contexts.json`, 'names for servers and logins (see chat context)'],
  [`${configDirectory(linux)}/server.yaml`, 'settings of a server that you run yourself (see chat serve)'],
  [`${systemDirectory(linux)}/config.yaml`, 'the settings of everybody on this machine'],
  [`${systemDirectory(linux)}/server.yaml`, 'the settings of the server of this machine'],
  [`${stateDirectory(linux)}/logins/`, 'session tokens, one file for each login'],
  [
    `${stateDirectory(linux)}/clientkeys/`,
    'the keys of private messages, and what is known of those of others: whoever has them reads the messages',
  ],
  [`${stateDirectory(linux)}/certificates/`, 'keys and certificates to log in with'],
  [`${stateDirectory(linux)}/known_servers.json`, 'the keys of servers that were met'],
  [`${stateDirectory(linux)}/cursors/`, 'how far each chat tail --durable has come'],
  [`${stateDirectory(linux)}/outbox/`, 'what chat send --outbox has kept'],
  [
    '~/.local/share/chat/',
    "the data directory of chat serve, unless --data names another: the whole server's",
  ],
  ['DATA/chat.db, DATA/chat.db-wal', 'the database, SQLite, and its log; both belong together'],
  ['DATA/serverkeys/, DATA/ttpkeys/', "the server's identity, and the authority that signs for people"],
  ['DATA/backups/', 'what chat admin backup makes, unless --backup-dir names another'],
];
