/** `npm run chaos`: see `usage`. Ends with 1 when something was lost, doubled or left over. */
import { requireNetwork, requirePostgres } from '@sheaf/testkit';
import { experiment } from './experiment.ts';
import { readSettings, usage } from './settings.ts';

const words = process.argv.slice(2);
if (words.includes('--help')) {
  console.log(usage);
} else {
  try {
    const settings = readSettings(words);
    console.log(
      `Seed ${settings.seed}, ${settings.minutes} minutes, ${settings.database}, ${settings.runtime}`,
    );
    const postgres = settings.database === 'postgresql' ? await requirePostgres() : undefined;
    const network = await requireNetwork();
    try {
      const outcome = await experiment(settings, { network, postgres }, (line) => console.log(line));
      const struck = [...outcome.faults].map(([name, count]) => `${name} ${count}`).join(', ');
      console.log(`${outcome.runs} runs, ${outcome.restarts} begun again. Faults: ${struck}.`);
      for (const violation of outcome.violations) console.log(`VIOLATION ${violation}`);
      console.log(`${outcome.violations.length} violations.`);
      if (outcome.directory !== '') console.log(`Everything is kept in ${outcome.directory}`);
      process.exitCode = outcome.violations.length === 0 ? 0 : 1;
    } finally {
      await postgres?.stop();
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 2;
  }
}
