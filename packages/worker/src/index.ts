export { startWorker, type RunningWorker, type WorkerDependencies } from './main.ts';
export { StartProblem, type RuntimeChoice, type Settings } from './settings/settings.ts';
