/** What a genpath can stand for: any JSON value; null for nothing. */
export type GenpathValue =
  | null
  | boolean
  | number
  | string
  | GenpathValue[]
  | { [key: string]: GenpathValue };

export function isObject(value: GenpathValue): value is { [key: string]: GenpathValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
