// {{name}}: adds the domain of an e-mail address as a column of its own, and drops rows without one.
//
// The host opens an instance on a table and applies it to batch after batch of its rows, in one sandbox. It may run
// several side by side, so that none sees every row.

import { bits, read, texts, textVector, write } from './batches.js';
import { failure, guarded, requireColumn } from './icehost.js';

export const metadata = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    summary: 'adds the domain of an e-mail address, and drops rows without one',
    optionsSchema: JSON.stringify({
      type: 'object',
      properties: {
        column: {
          type: 'string',
          minLength: 1,
          description: 'The column that holds the address.',
        },
      },
      required: ['column'],
      additionalProperties: false,
    }),
  }),
};

/** The column that is added. */
let output;

export const batchTransform = guarded({
  /** Which columns it reads, and which it writes. */
  open(table, options) {
    const id = requireColumn(table.name, table.columns, JSON.parse(options).column);
    const { name, kind } = table.columns[id];
    if (kind !== 'text') {
      throw failure('invalid-options', 'wrong-type', `'${name}' is not text`, id);
    }
    output = `${name}Domain`;
    const domain = {
      name: output,
      kind: 'text',
      nativeType: 'nvarchar(255)',
      nullable: false,
      keyPosition: undefined,
      identity: false,
      writable: true,
    };
    return { inputs: [id], outputs: [domain] };
  },

  /** A batch of the columns that it reads, in the order in which it named them, as an Arrow IPC stream. */
  apply(batch) {
    const [addresses] = read(batch);
    const domains = texts(addresses).map((address) => {
      const at = address?.indexOf('@') ?? -1;
      return at < 0 ? undefined : address.slice(at + 1).toLowerCase();
    });
    // A row that is dropped needs a value too.
    const values = textVector(domains.map((domain) => domain ?? ''));
    return {
      columns: write({ [output]: values }),
      keep: bits(domains.map((domain) => domain !== undefined)),
    };
  },
});
