export { eventually } from './eventually.ts';
export {
  runProcess,
  startProcess,
  type Ended,
  type ProcessOptions,
  type StartedProcess,
} from './processes.ts';
export { describeWith, type Requirement } from './services/requirement.ts';
export { SkipReason } from './services/skip-reason.ts';
export type { Host, Network } from './hosts/network.ts';
export { requireNetwork } from './hosts/require-network.ts';
export { Interposer, type Fate, type LineRequest } from './network/interposer.ts';
export { requireApptainer } from './services/apptainer.ts';
export { requireDockerEngine, type DockerEngine } from './services/docker-engine.ts';
export { requireRunc } from './services/runc.ts';
export { requirePostgres, type Postgres } from './services/postgres.ts';
export { requirePodman, startPodman, type Podman } from './services/podman.ts';
export { PrivateEngine } from './services/private-engine.ts';
export {
  registryLogin,
  requirePrivateRegistry,
  requireRegistry,
  type Registry,
  type RegistryLogin,
} from './services/registry.ts';
export { requireCompose } from './services/compose.ts';
export { requireSlurm, type Slurm } from './services/slurm.ts';
export { archiveWithoutBash, bareImages, type BareImages } from './images/bare.ts';
export { deploymentImages, type DeploymentImages } from './images/deployment.ts';
export { forgetImage } from './images/engine-images.ts';
export { pythonArchive, pythonImage } from './images/python.ts';
export { ScriptedCluster, type ScriptedPod } from './kubernetes/scripted-cluster.ts';
export { ScriptedAwsBatch } from './clouds/aws-batch.ts';
export { ScriptedAzureBatch } from './clouds/azure-batch.ts';
