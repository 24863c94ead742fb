// Loaded before a program: gives it a wrong time of day. How wrong, in milliseconds, stands in the file that SHIFTED_CLOCK names, and may
// change at any time. Only the time of day: how long something takes is right.
const { readFileSync } = require('node:fs');

const file = process.env.SHIFTED_CLOCK;
const RightDate = Date;
let shift = 0;

function look() {
  try {
    shift = Number(readFileSync(file, 'utf8')) || 0;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

class ShiftedDate extends RightDate {
  constructor(...given) {
    if (given.length === 0) super(RightDate.now() + shift);
    else super(...given);
  }

  static now() {
    return RightDate.now() + shift;
  }
}

if (file !== undefined) {
  look();
  setInterval(look, 100).unref();
  globalThis.Date = ShiftedDate;
}
