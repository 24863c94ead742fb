import type { FastifyInstance } from 'fastify';
import type { Services } from '../services.ts';
import { registerGroupRoutes } from './group-routes.ts';
import { registerTokenRoutes } from './token-routes.ts';
import { registerUserRoutes } from './user-routes.ts';

export function registerAccountRoutes(app: FastifyInstance, services: Services): void {
  registerTokenRoutes(app, services);
  registerUserRoutes(app, services);
  registerGroupRoutes(app, services);
}
