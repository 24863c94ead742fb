import type { FastifyInstance } from 'fastify';
import type { Execution } from '../runs/execution.ts';
import type { Services } from '../services.ts';
import { registerReadRoutes } from './read-routes.ts';
import { registerTransferRoutes } from './transfer-routes.ts';
import { registerUploadRoutes } from './upload-routes.ts';

export function registerContentsRoutes(app: FastifyInstance, services: Services, execution: Execution): void {
  registerReadRoutes(app, services, execution);
  registerUploadRoutes(app, services);
  registerTransferRoutes(app, services, execution);
}
