import type { FastifyInstance } from 'fastify';
import type { Execution } from '../runs/execution.ts';
import type { Services } from '../services.ts';
import { registerChangeRoutes } from './change-routes.ts';
import { registerCreateRoutes } from './create-routes.ts';
import { registerFetchRoutes } from './fetch-routes.ts';
import { registerFinishRoutes } from './finish-routes.ts';
import { registerLocationRoutes } from './location-routes.ts';
import { registerPermissionRoutes } from './permission-routes.ts';
import { registerSameResultRoutes } from './same-result-routes.ts';
import { registerStoreRoutes } from './store-routes.ts';
import { registerWatchRoutes } from './watch-routes.ts';

export function registerBundleRoutes(app: FastifyInstance, services: Services, execution: Execution): void {
  registerCreateRoutes(app, services);
  registerFetchRoutes(app, services);
  registerChangeRoutes(app, services);
  registerPermissionRoutes(app, services);
  registerStoreRoutes(app, services);
  registerLocationRoutes(app, services);
  registerFinishRoutes(app, services);
  registerWatchRoutes(app, services);
  registerSameResultRoutes(app, services, execution);
}
