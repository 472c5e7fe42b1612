// {{name}}: rows whose number grew since the last run.
//
// The host calls `probes`, `plan` and `advance` in this order, each in a fresh sandbox: nothing but the
// watermark is remembered from one call to the next.

import { allOf, col, expression, failure, findColumn, gt, isNull, le, lit, not, order, requireColumn } from './icehost.js';

/** The layout of the watermark: one mark, named after the column. */
const FORMAT = 1;

export const metadata = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    summary: 'reads rows whose number grew since the last run',
    optionsSchema: JSON.stringify({
      type: 'object',
      properties: {
        column: {
          type: 'string',
          minLength: 1,
          description: 'The column whose value grows with every change of a row.',
        },
      },
      required: ['column'],
      additionalProperties: false,
    }),
  }),
};

export const changeDetection = {
  /** What the host reads before it asks for the plan: the largest number and, where there may be NULLs, their count. */
  probes(context) {
    const { id, nullable } = cursor(context);
    const probe = (name) => ({ tag: 'aggregate', val: { function: name, column: id } });
    return nullable ? [probe('max'), probe('count-null')] : [probe('max')];
  },

  /** Which rows to read: those above the watermark and up to what was the largest number. */
  plan(context, readings) {
    const { id, name, nullable, seen } = cursor(context);
    const { table } = context;
    const nulls = nullable ? readings[1].val : 0n;
    if (nulls > 0n) {
      throw failure(
        'bad-data',
        'null-cursor',
        `${nulls} rows of ${table.name} have NULL in '${name}' and would never be read`,
        id,
      );
    }
    const upper = larger(seen, readings[0], name);
    let wanted;
    if (upper === undefined) {
      // Nothing has a value: no row is wanted.
      wanted = allOf(isNull(col(id)), not(isNull(col(id))));
    } else if (seen === undefined) {
      wanted = le(col(id), lit(upper));
    } else {
      wanted = allOf(gt(col(id), lit(seen)), le(col(id), lit(upper)));
    }
    return {
      source: { tag: 'rows' },
      coverage: seen === undefined ? 'full' : 'incremental',
      columns: [...table.columns.keys()],
      filter: expression(wanted),
      orderBy: [{ column: id, direction: 'ascending' }],
      splitOn: undefined,
      observe: [],
    };
  },

  /** How far the source has been read once those rows are committed. It never moves back. */
  advance(context, outcome) {
    const { name, seen } = cursor(context);
    const upper = larger(seen, outcome.readings[0], name) ?? { tag: 'null' };
    return { format: FORMAT, marks: [[name, upper]] };
  },
};

/** The cursor column, and how far it has been read: `undefined` on the first run. */
function cursor({ table, options, watermark }) {
  const id = requireColumn(table.name, table.columns, JSON.parse(options).column);
  const { name, kind, nullable } = table.columns[id];
  let seen;
  if (watermark !== undefined) {
    const [mark] = watermark.marks;
    const ours =
      watermark.format === FORMAT &&
      watermark.marks.length === 1 &&
      findColumn(table.columns, mark[0]) === id &&
      ['null', kind].includes(mark[1].tag);
    if (!ours) {
      throw failure(
        'stale-watermark',
        'other-watermark',
        `the watermark is not one of column '${name}' as it is now`,
      );
    }
    if (mark[1].tag !== 'null') seen = mark[1];
  }
  return { id, name, nullable, seen };
}

/** The larger of what was read before and what the server has now; `undefined` where there is neither. */
function larger(seen, now, name) {
  if (now.tag === 'null') return seen;
  if (seen === undefined) return now;
  const sign = order(seen, now);
  if (sign === undefined) {
    throw failure('unsupported-table', 'no-order', `values of column '${name}' have no order that all servers share`);
  }
  return sign < 0 ? now : seen;
}
