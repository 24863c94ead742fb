export { PoolError, type NewWorker, type Pool, type PoolJob } from './pool.ts';
