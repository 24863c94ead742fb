// Starts the built `cl` that lies beside this file, with what V8 made of its text when it was built, so that it is not compiled anew
// at each call (docs/decisions/0602-start-of-the-client.md). V8 refuses by itself what does not fit, and then compiles.
const { existsSync, readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const program = `${__dirname}/main.js`;
const compiled = `${program}.cache`;
const options = existsSync(compiled) ? { cachedData: readFileSync(compiled) } : {};
const script = new Script(readFileSync(program, 'utf8'), { filename: program, ...options });
script.runInThisContext()(exports, require, module, program, __dirname);
