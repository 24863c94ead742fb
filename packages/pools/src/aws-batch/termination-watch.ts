/** The worker, and beside it what tells it that its spot instance will be taken away (execution.md §25). */
import { joinShellWords } from '@sheaf/domain';

/**
 * A script for sh: every five seconds the instance is asked, and the worker is told to end once there is a notice. Where there is no
 * curl, or no such answer, nobody is told; the worker runs all the same.
 */
export function watchedCommand(executable: string, flags: readonly string[]): string {
  return `${executable} ${joinShellWords(flags)} &
worker=$!
trap 'kill -TERM $worker 2>/dev/null' TERM INT HUP
(
  metadata=http://169.254.169.254/latest
  while kill -0 $worker 2>/dev/null; do
    token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/api/token" 2>/dev/null)
    if curl -sf -m 2 -o /dev/null -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/spot/instance-action" 2>/dev/null; then
      echo 'This spot instance will be taken away: the worker is told to end.' >&2
      kill -TERM $worker
      break
    fi
    sleep 5 2>/dev/null
  done
) >/dev/null &
watch=$!
wait $worker
code=$?
# A signal interrupts the wait, and the worker may still be giving back its runs.
while kill -0 $worker 2>/dev/null; do wait $worker; code=$?; done
kill $watch 2>/dev/null
exit $code
`;
}
