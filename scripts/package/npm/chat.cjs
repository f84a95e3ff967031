#!/usr/bin/env node
// In the words of every Node that there is: one that is too old has to understand that it is.
var minimum = [22, 19];
var version = process.versions.node.split('.').map(Number);
var isTooOld = version[0] < minimum[0] || (version[0] === minimum[0] && version[1] < minimum[1]);
if (isTooOld) {
  console.error(
    'chat: this is Node ' +
      process.versions.node +
      ', and chat needs ' +
      minimum.join('.') +
      ' or newer: install one, or the executable for this platform, which brings its own',
  );
  // "unavailable" in the exit-code table: nothing is wrong with what was asked for.
  process.exitCode = 3;
} else {
  // In a file of its own, which the package alone has, since `import()` is not in their words.
  require(`${__dirname}/start.cjs`);
}
