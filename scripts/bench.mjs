// `npm run bench [NAME…]`: runs the measurements in bench/ and prints one table; every figure stands beside its floor or peer of the same run.
import { runBundled } from './run-bundled.mjs';

await runBundled('bench/main.ts');
