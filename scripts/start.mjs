// `npm start`: checks the Node version before anything that an old one could not even parse, then launches.
/* eslint-disable no-var, prefer-const */
var wanted = [20, 19];
var parts = process.versions.node.split('.');
var major = Number(parts[0]);
var minor = Number(parts[1]);
if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
  console.error(
    'Sheaf needs Node.js ' +
      wanted.join('.') +
      ' or newer, and this is ' +
      process.versions.node +
      '. Install a newer Node.js and run `npm start` again.',
  );
  process.exit(1);
}
import('./launch.mjs')
  .then(function (launcher) {
    return launcher.launch();
  })
  .catch(function (error) {
    console.error(error);
    process.exit(1);
  });
