export * from './errors.ts';
export * from './headers.ts';
export * from './entry.ts';
export * from './transfer.ts';
export * from './worker/messages.ts';
export * from './worker/reports.ts';
export * from './resources.ts';
