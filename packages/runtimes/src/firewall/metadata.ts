/**
 * Where clouds hand out a machine's credentials to whoever asks from it, as what rules match: the link-local range, which most of
 * them use; Alibaba's own address; and the agent's ports of Azure's, at an address that also answers for names and leases.
 */
export const metadataServices: readonly (readonly string[])[] = [
  ['-d', '169.254.0.0/16'],
  ['-d', '100.100.100.200/32'],
  ['-d', '168.63.129.16/32', '-p', 'tcp', '--dport', '80'],
  ['-d', '168.63.129.16/32', '-p', 'tcp', '--dport', '32526'],
];
