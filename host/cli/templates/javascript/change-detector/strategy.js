// {{name}}: rows whose number grew since the last run.
//
// The host calls `probes`, `plan` and `advance` in this order, each in a fresh sandbox: nothing but the
// watermark is remembered from one call to the next.

import { allOf, col, expression, failure, ge, guarded, isNull, le, lit, names, not, order, requireColumn } from './icehost.js';
import { lowest, read, smaller, watermark } from './marks.js';

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

export const changeDetection = guarded({
  /** What the host reads before it asks for the plan; `readingsOf` takes it apart. */
  probes(context) {
    const { id, nullable } = cursor(context);
    const aggregate = (name) => ({ tag: 'aggregate', val: { function: name, column: id } });
    const nulls = nullable ? [aggregate('count-null')] : [];
    return [aggregate('max'), { tag: 'source-time' }, ...nulls, aggregate('min')];
  },

  /** Which rows to read: from somewhat below the watermark, inclusive, up to what was the largest number. */
  plan(context, readings) {
    const { id, name, nullable, seen } = cursor(context);
    const { table } = context;
    const { largest, nulls, least } = readingsOf(readings, nullable);
    if (nulls > 0n) {
      throw failure(
        'bad-data',
        'null-cursor',
        `${nulls} rows of ${table.name} have NULL in '${name}' and would never be read`,
        id,
      );
    }
    const upper = larger(seen, largest);
    let wanted;
    if (upper === undefined) {
      // Nothing has a value: no row is wanted.
      wanted = allOf(isNull(col(id)), not(isNull(col(id))));
    } else if (seen === undefined) {
      wanted = le(col(id), lit(upper));
    } else {
      // Where the newest rows are gone, the ones before them tell whether the numbers have started over.
      const lower = smaller(lowest(seen, least), largest);
      if (order(least, seen.least) < 0 && order(least, lower) < 0) {
        throw failure('stale-watermark', 'counts-down', `rows with smaller numbers have come to '${name}'`, id);
      }
      wanted = allOf(ge(col(id), lit(lower)), le(col(id), lit(upper)));
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
    const { id, name, nullable, seen } = cursor(context);
    const { largest, now, least } = readingsOf(outcome.readings, nullable);
    // `rows` does not count what the lake had already.
    if (order(largest, seen?.number) < 0 && outcome.rows > 0n) {
      throw failure('stale-watermark', 'started-over', `new rows lie below the last number of '${name}'`, id);
    }
    return watermark(name, seen, larger(seen, largest), least, now);
  },
});

/** The cursor column, and how far it has been read: `undefined` on the first run. */
function cursor(context) {
  const { table, options } = context;
  const id = requireColumn(table.name, table.columns, JSON.parse(options).column);
  const { name, nullable } = table.columns[id];
  // What all servers order alike, and no clock runs ahead of; the bytes are those of a `rowversion`.
  const numbers = table.columns.filter(({ kind }) => ['integer', 'decimal', 'double', 'binary'].includes(kind));
  if (!numbers.includes(table.columns[id])) {
    throw failure(
      'invalid-options',
      'wrong-type',
      `'${name}' holds no numbers; columns that do: ${names(numbers)}`,
      id,
    );
  }
  return { id, name, nullable, seen: read(context, id) };
}

/** What was probed: the largest and the smallest number, the server's time, and how many rows have none. */
function readingsOf(readings, nullable) {
  const [largest, { val: now }, ...rest] = readings;
  return { largest, now, nulls: nullable ? rest[0].val : 0n, least: rest.at(-1) };
}

/** The larger of what was read before and what the server has now; `undefined` where there is neither. */
function larger(seen, now) {
  if (now.tag === 'null') return seen?.number;
  return order(seen?.number, now) > 0 ? seen.number : now;
}
