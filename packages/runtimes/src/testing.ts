/** What tests of other packages use: never part of a program that people run. */
export { EngineClient } from './engine/client.ts';
export { ScriptedMachine } from './scripted/machine.ts';
export { ScriptedRuntime } from './scripted/runtime.ts';
export { benchFor, RunBench, type RuntimeHarness } from './conformance/bench.conformance.ts';
export { testExecution } from './conformance/execution.conformance.ts';
export { testLifecycle } from './conformance/lifecycle.conformance.ts';
