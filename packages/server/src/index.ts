export { startServer, type RunningServer } from './main.ts';
export { readSettings, SettingsError, type Settings } from './settings/settings.ts';
export { StartError } from './start-error.ts';
