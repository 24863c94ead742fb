import { describe } from 'vitest';
import { testLifecycle } from '../conformance/lifecycle.conformance.ts';
import { ScriptedMachine } from './machine.ts';
import { ScriptedRuntime } from './runtime.ts';

describe('the scripted runtime', () => {
  const machine = new ScriptedMachine();
  testLifecycle({
    open: async () => new ScriptedRuntime(machine),
    image: async () => null,
  });
});
