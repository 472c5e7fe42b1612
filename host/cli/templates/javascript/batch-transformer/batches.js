// Batches of rows: what `apply` is given, and what it returns. It is yours to change.
//
// Both are Arrow IPC streams, which `apache-arrow` reads and writes. Texts go round its iterators and builders, which
// take five times as long in an engine without a compiler.

import { makeData, makeVector, Table, tableFromIPC, tableToIPC, Utf8 } from 'apache-arrow';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The columns of a batch as vectors, in the order in which `open` named them. */
export function read(stream) {
  const table = tableFromIPC(stream);
  return table.schema.fields.map((_, i) => table.getChildAt(i));
}

/** The stream of what `open` declared: its outputs by their names, as vectors with a value for each row. */
export const write = (vectors) => tableToIPC(new Table(vectors), 'stream');

/** The values of a vector of texts; NULL is `null`. */
export function texts(vector) {
  const [{ values, valueOffsets, nullCount, nullBitmap }] = vector.data;
  const texts = new Array(vector.length);
  for (let row = 0; row < texts.length; row++) {
    const isNull = nullCount > 0 && !((nullBitmap[row >> 3] >> (row & 7)) & 1);
    texts[row] = isNull ? null : decoder.decode(values.subarray(valueOffsets[row], valueOffsets[row + 1]));
  }
  return texts;
}

/** A vector of texts, of which none is NULL. */
export function textVector(texts) {
  const length = texts.length;
  const valueOffsets = new Int32Array(length + 1);
  for (let row = 0; row < length; row++) valueOffsets[row + 1] = valueOffsets[row] + texts[row].length;
  const data = encoder.encode(texts.join(''));
  if (data.length !== valueOffsets[length]) {
    // Not all of it is ASCII.
    for (let row = 0; row < length; row++) {
      valueOffsets[row + 1] = valueOffsets[row] + encoder.encode(texts[row]).length;
    }
  }
  return makeVector(makeData({ type: new Utf8(), length, nullCount: 0, valueOffsets, data }));
}

/** A bit for each truth, least significant first: what `keep` takes. */
export function bits(truths) {
  const bytes = new Uint8Array(Math.ceil(truths.length / 8));
  for (let row = 0; row < truths.length; row++) {
    if (truths[row]) bytes[row >> 3] |= 1 << (row & 7);
  }
  return bytes;
}
