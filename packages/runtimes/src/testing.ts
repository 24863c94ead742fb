/** What tests of other packages use: never part of a program that people run. */
export { EngineClient } from './engine/client.ts';
