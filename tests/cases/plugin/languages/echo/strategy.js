// Reads every column and writes it as it was, value by value.

import { tableFromIPC, vectorFromArray } from 'apache-arrow';
import { read, texts, textVector, write } from './batches.js';
import { guarded } from './icehost.js';

export const metadata = {
  describe: () => ({ name: 'echo', version: '0.1.0', summary: 'writes what it reads', optionsSchema: '{"type": "object", "additionalProperties": false}' }),
};

export const batchTransform = guarded({
  open: (table) => ({ inputs: table.columns.map((_, id) => id), outputs: table.columns }),

  apply(batch) {
    const { fields } = tableFromIPC(batch).schema;
    const columns = read(batch).map((vector, i) => [fields[i].name, copied(vector, fields[i].type)]);
    return { columns: write(Object.fromEntries(columns)), keep: undefined };
  },
});

/** Values of most types are read and written; of times, dates and decimals the vectors are taken as they are. */
function copied(vector, type) {
  const name = String(type);
  if (name === 'Utf8' && vector.nullCount === 0) return textVector(texts(vector));
  if (name === 'Utf8') return vectorFromArray(texts(vector), type);
  return /^(Bool|Int|Float|Binary)/.test(name) ? vectorFromArray([...vector], type) : vector;
}
