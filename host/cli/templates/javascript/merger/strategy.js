// {{name}}: rows whose key is known are overwritten, the others added.

import { col, eq, expression, failure, keyNames, lit, names, requireColumn } from './icehost.js';

/** What the operation column holds for a row that is gone. */
const DELETE = { tag: 'integer', val: 0n };

export const metadata = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    summary: 'overwrites rows whose key is known and adds the others',
    optionsSchema: JSON.stringify({
      type: 'object',
      properties: {
        keys: {
          type: 'array',
          items: { type: 'string', minLength: 1 },
          minItems: 1,
          description: 'The columns that identify a row; by default the key of the target, else of the rows.',
        },
      },
      additionalProperties: false,
    }),
  }),
};

export const merge = {
  /** What to do with rows that match and with those that do not. */
  plan(target, delta, options) {
    const clauses = [];
    if (delta.operation !== undefined) {
      const deleted = expression(eq(col(delta.operation), lit(DELETE)));
      clauses.push({ occasion: 'matched', condition: deleted, action: { tag: 'delete' } });
      clauses.push({ occasion: 'not-matched', condition: deleted, action: { tag: 'skip' } });
    }
    clauses.push({ occasion: 'matched', condition: undefined, action: { tag: 'write-all' } });
    clauses.push({ occasion: 'not-matched', condition: undefined, action: { tag: 'write-all' } });
    return {
      keys: keyPairs(target, delta, JSON.parse(options).keys),
      among: undefined,
      deduplicate: [],
      clauses,
      mode: 'merge-on-read',
    };
  },
};

/** The key columns on both sides, which have equal names: those that the user names, else the target's, else the rows'. */
function keyPairs(target, delta, named) {
  const own = keyNames(target.columns);
  const key = named ?? (own.length > 0 ? own : keyNames(delta.columns));
  if (key.length === 0) {
    throw failure(
      'invalid-options',
      'no-key',
      `neither ${target.name} nor the source has a key; set keys to one or more of ${names(delta.columns)}`,
    );
  }
  const pairs = key.map((name) => ({
    source: requireColumn('the delta', delta.columns, name),
    target: requireColumn(target.name, target.columns, name),
  }));
  const repeated = pairs.findIndex((pair, i) => pairs.findIndex((p) => p.target === pair.target) < i);
  if (repeated >= 0) {
    throw failure('invalid-options', 'repeated-key', `keys names '${key[repeated]}' twice`);
  }
  return pairs;
}
