import type { FastifyInstance } from 'fastify';
import type { Services } from '../services.ts';
import { registerCreateRoutes } from './create-routes.ts';
import { registerFetchRoutes } from './fetch-routes.ts';

export function registerBundleRoutes(app: FastifyInstance, services: Services): void {
  registerCreateRoutes(app, services);
  registerFetchRoutes(app, services);
}
