/**
 * System calls that no run needs: those that want privileges a run does not have anyway, and those that would give it some in a
 * namespace of its own making, where much of the kernel is reachable that otherwise is not. All others pass: what engines allow
 * by a list grows with each kernel, and a list that is too old breaks programs in ways nobody understands.
 */

const refused = [
  'acct',
  'add_key',
  'bpf',
  'clock_adjtime',
  'clock_adjtime64',
  'clock_settime',
  'clock_settime64',
  'create_module',
  'delete_module',
  'fanotify_init',
  'finit_module',
  'fsconfig',
  'fsmount',
  'fsopen',
  'fspick',
  'init_module',
  'io_uring_enter',
  'io_uring_register',
  'io_uring_setup',
  'ioperm',
  'iopl',
  'kexec_file_load',
  'kexec_load',
  'keyctl',
  'lookup_dcookie',
  'mount',
  'mount_setattr',
  'move_mount',
  'nfsservctl',
  'open_by_handle_at',
  'open_tree',
  'perf_event_open',
  'pivot_root',
  'quotactl',
  'quotactl_fd',
  'reboot',
  'request_key',
  'setdomainname',
  'sethostname',
  'setns',
  'settimeofday',
  'stime',
  'swapoff',
  'swapon',
  'syslog',
  'umount',
  'umount2',
  'unshare',
  'userfaultfd',
  'vhangup',
  'vm86',
  'vm86old',
];

const notPermitted = 1;
const notImplemented = 38;
const newUserNamespace = 0x10000000;

/** What else a machine's kernel executes, by Node's name for it; others have their own calls only. */
const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** As `linux.seccomp` of an OCI bundle. @param machine as in `process.arch` */
export function seccompProfile(machine: string): Record<string, unknown> {
  const refuse = { action: 'SCMP_ACT_ERRNO', errnoRet: notPermitted };
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    ...(architectures[machine] === undefined ? {} : { architectures: architectures[machine] }),
    syscalls: [
      { ...refuse, names: refused },
      {
        ...refuse,
        names: ['clone'],
        args: [
          {
            index: 0,
            value: newUserNamespace,
            valueTwo: newUserNamespace,
            op: 'SCMP_CMP_MASKED_EQ',
          },
        ],
      },
      // Its flags are out of a filter's sight; programs take the older one where this is not there.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: notImplemented },
    ],
  };
}
