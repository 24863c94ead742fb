// Runs the built `cl` once, without a server, and writes down what V8 has made of its text by then: with the functions that every call
// needs, not only the outermost ones. Called by bundle.mjs with the folder of the build.
const { readFileSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname } = require('node:path');
const { Script } = require('node:vm');

const [, , program] = process.argv;
const script = new Script(readFileSync(program, 'utf8'), { filename: program });
process.on('exit', () => writeFileSync(`${program}.cache`, script.createCachedData()));
process.argv = [process.argv[0], program, 'status'];
script.runInThisContext()(exports, createRequire(program), module, program, dirname(program));
