import type { FastifyInstance } from 'fastify';
import type { Services } from '../services.ts';
import { registerTokenRoutes } from './token-routes.ts';

export function registerAccountRoutes(app: FastifyInstance, services: Services): void {
  registerTokenRoutes(app, services);
}
