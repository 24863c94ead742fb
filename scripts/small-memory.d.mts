export const smallMemory: { flags(program: string): string[]; environment: Record<string, string> };
