/**
 * Kubernetes puts the environment in place of `$(NAME)`, and one `$` in place of `$$`, in the words of a command and in the values of the
 * environment (docs: "Define Dependent Environment Variables"). Doubled, each `$` stays what it is: `echo $$`, a password with `$$`.
 */
export function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}
