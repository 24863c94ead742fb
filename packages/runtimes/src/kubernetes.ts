/** Clusters, for programs that start workers in them. */
export { certificateOf, type ClusterAccess } from './kubernetes/access.ts';
export { ClusterClient, ClusterError } from './kubernetes/client.ts';
export { literal } from './kubernetes/literal.ts';
export { timeOf, type Pod } from './kubernetes/objects.ts';
