export {
  ImageError,
  RuntimeError,
  type PreparedImage,
  type PrepareImageOptions,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunMount,
  type RunSpecification,
  type RunStatistics,
  type Runtime,
  type RuntimeCapabilities,
} from './port.ts';
export { connectDockerRuntime, type DockerRuntimeOptions } from './docker/runtime.ts';
