import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile, OutputFile } from 'esbuild';

/** What may be inside: licenses that ask for their text, or for nothing. Whoever adds one has read it. */
const allowed: readonly string[] = ['0BSD', 'Apache-2.0', 'BSD-3-Clause', 'ISC', 'MIT', 'MIT-0'];

/** License texts, and what is inside of packages that do not say so themselves. */
const texts = join(import.meta.dirname, 'texts');

/** A file that tells of rights: the license itself, its notices, and the authors that it refers to. */
const isLicense = (name: string): boolean => /^(un)?licen[cs]e|^copying/i.test(name);
const isNotice = (name: string): boolean => /^(notice|copyright|authors|third-?party)/i.test(name);

/** What stands in LICENSES.txt under one heading. */
interface Part {
  readonly name: string;
  readonly text: string;
}

/** What {@link licensesOf} looks at. */
export interface Contents {
  /** Where package.json and node_modules are. */
  readonly root: string;
  /** What esbuild said that it has read. */
  readonly metafile: Pick<Metafile, 'inputs'>;
  /** What esbuild made of it: beside the code lie comments about rights that it took out, `*.LEGAL.txt`. */
  readonly outputFiles: readonly Pick<OutputFile, 'path' | 'text'>[];
}

/**
 * The licenses of the project and of every package that a bundle was made of, the same text for the same packages. Throws, naming the
 * package, for a license that is not allowed here and for a package whose license has no text.
 */
export function licensesOf({ root, metafile, outputFiles }: Contents): string {
  const packages = new Map(
    bundledDirectories(metafile).map((directory) => {
      const part = partOf(join(root, directory), directory);
      return [part.name, part];
    }),
  );
  const names = [...packages.keys()].sort();
  const own: Part = { name: 'chat: MIT', text: readFileSync(join(root, 'LICENSE'), 'utf8') };
  const legal = outputFiles.filter(({ path }) => path.endsWith('.LEGAL.txt')).map(({ text }) => text);
  const others = Object.keys(metafile.inputs).flatMap((path) => rightsIn(root, path));
  const comments: Part = {
    name: 'Comments about rights in the code of these packages',
    text: [...new Set([...legal, ...others])].sort().join('\n'),
  };
  return [
    'chat contains the work of many others. This is what it is made of, and under which license each part is.\n',
    `${['chat: MIT', ...names].join('\n')}\n`,
    ...[own, ...names.flatMap((name) => packages.get(name) ?? []), comments].map(section),
  ].join('\n');
}

/** What lies beside a built program, for `chat licenses`. */
export const licensesName = 'licenses.txt';

/**
 * The licenses of an executable that is made of the program in `build` and of the Node that runs this, whose own file names all of its
 * parts. Throws when that Node has come without it.
 */
export function executableLicenses(build: string): string {
  const node = join(realpathSync(process.execPath), '..', '..', 'LICENSE');
  if (!existsSync(node))
    throw new Error(`the license of Node.js is not at ${node}: install the pinned packages (npm ci)`);
  return withNode(
    readFileSync(join(build, licensesName), 'utf8'),
    process.versions.node,
    readFileSync(node, 'utf8'),
  );
}

/** Adds Node.js with the text of its own license file. */
export function withNode(licenses: string, version: string, license: string): string {
  return [licenses, section({ name: `Node.js ${version}`, text: license })].join('\n');
}

const rule = '='.repeat(80);

function section({ name, text }: Part): string {
  const lines = text.replaceAll('\r\n', '\n').trimEnd();
  return `${rule}\n${name}\n${rule}\n\n${lines}\n`;
}

/** Where the packages of a bundle are, below its root: `node_modules/yargs/node_modules/string-width`. */
function bundledDirectories({ inputs }: Contents['metafile']): string[] {
  const directories = Object.keys(inputs).flatMap(
    // What the build makes itself in another's place (`lean:`, say) is no file.
    (path) => /^(?![a-z-]+:)(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? [],
  );
  return [...new Set(directories)];
}

/**
 * A package's comments that name holders of rights, of what it has taken from elsewhere, say: esbuild keeps those alone that say
 * `@license` or begin with an exclamation mark.
 */
function rightsIn(root: string, path: string): string[] {
  const file = join(root, path);
  if (!path.includes('node_modules/') || !existsSync(file)) return [];
  const comments =
    readFileSync(file, 'utf8').match(/\/\*[\s\S]*?\*\/|^[ \t]*\/\/.*(?:\n[ \t]*\/\/.*)*/gm) ?? [];
  return comments
    .filter((comment) => /\bcopyright\b/i.test(comment) && !/^\/\*!|@license|@preserve/.test(comment))
    .map((comment) => `${path.replace(/^.*node_modules\//, '')}:\n${comment}\n`);
}

function partOf(path: string, directory: string): Part {
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { name, version, license } = manifest;
  const title = `${name} ${version}`;
  if (typeof license !== 'string' || !allowed.includes(license)) {
    throw new Error(
      `${title} (${directory}) is under ${JSON.stringify(license) ?? 'no license'}, which is none of ${allowed.join(', ')}: ` +
        'leave it out, or allow its license in scripts/package/licenses.ts',
    );
  }
  const files = readdirSync(path).sort();
  const licenses = files.filter(isLicense);
  const standard = licenses.length > 0 ? [] : [standardText(title, license, manifest.author)];
  const given = [...licenses, ...files.filter(isNotice)].map((file) =>
    readFileSync(join(path, file), 'utf8'),
  );
  const inside = textNamed(`inside-${name}`) ?? [];
  return {
    name: `${title}: ${license}`,
    text: [...standard, ...given, ...inside].map((text) => text.trim()).join('\n\n'),
  };
}

/** What a package without a license file has promised by its identifier. */
function standardText(title: string, license: string, author: unknown): string {
  const [text] = textNamed(license) ?? [];
  if (text === undefined)
    throw new Error(`${title} has no license file, and scripts/package/texts has no ${license}.txt`);
  return `Copyright (c) ${typeof author === 'string' ? author : `the authors of ${title}`}\n\n${text}`;
}

/** A text of ours, in a list; undefined when there is none. */
function textNamed(name: string): [string] | undefined {
  const file = join(texts, `${name}.txt`);
  return existsSync(file) ? [readFileSync(file, 'utf8')] : undefined;
}
