// `npm run chaos`: breaks an installation in every way while it works, and checks that nothing was lost (docs/chaos.md).
import { runBundled } from './run-bundled.mjs';

await runBundled('chaos/main.ts', { built: process.env['SHEAF_BUILT'] === '1', ownPrograms: true });
