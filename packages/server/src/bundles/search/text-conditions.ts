/* Comparing texts without regard to case; the SQL side is in lower case already. */
import { assertNever, likePattern, type TextMatch, type ValueMatch } from '@sheaf/domain';
import { sql, type RawBuilder } from 'kysely';

export function matches(expression: RawBuilder<unknown>, value: ValueMatch): RawBuilder<boolean> {
  switch (value.kind) {
    case 'exact':
      return sql<boolean>`${expression} = ${value.text.toLowerCase()}`;
    case 'pattern':
      return like(expression, likePattern(value));
    case 'one-of':
      return sql<boolean>`${expression} in (${sql.join(value.texts.map((text) => text.toLowerCase()))})`;
    default:
      return assertNever(value);
  }
}

export function contains(expression: RawBuilder<unknown>, text: TextMatch): RawBuilder<boolean> {
  return like(expression, `%${likePattern(text)}%`);
}

function like(expression: RawBuilder<unknown>, pattern: string): RawBuilder<boolean> {
  return sql<boolean>`${expression} like ${pattern.toLowerCase()} escape '\\'`;
}
