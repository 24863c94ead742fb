export {
  ImageError,
  RuntimeError,
  type ImageRemoval,
  type MachineOffer,
  type ExecRequest,
  type ExecSession,
  type PreparedImage,
  type PrepareImageOptions,
  type ReachablePort,
  type RecoveredRun,
  type RunExit,
  type RunHandle,
  type RunMount,
  type RunSpecification,
  type RunStatistics,
  type Runtime,
  type RuntimeCapabilities,
  type TerminalSize,
} from './port.ts';
export { connectDockerRuntime, type DockerRuntimeOptions } from './docker/runtime.ts';
export { SandboxRuntime, type SandboxRuntimeOptions } from './sandbox/runtime.ts';
export type { SandboxUser } from './sandbox/user.ts';
export { connectRuncRuntime, type RuncRuntimeOptions } from './runc/connect.ts';
export { detectRuntime, type Detection, type Tried } from './detect/detect.ts';
export {
  runtimeChoices,
  type RuntimeChoice,
  type StrategyOptions as DetectOptions,
} from './detect/strategies.ts';
export { removeIfSmall } from './files/remove-small.ts';
export { certificateOf, type ClusterAccess } from './kubernetes/access.ts';
