// What strategies have in common: columns, errors and expressions. It is yours to change.
//
// Values are `{ tag, val }`, such as `{ tag: 'integer', val: 42n }`: 64-bit integers are BigInts. NULL is
// `{ tag: 'null' }`. A column is named by its position in the table's list.

/** An error as the contract wants it; `code` is for machines and stays the same. */
export function failure(kind, code, message, column) {
  return Object.assign(new Error(message), { payload: { kind, code, message, column } });
}

/** The same functions, whose exceptions become errors of the contract too: the host would not see what they say. */
export const guarded = (functions) =>
  Object.fromEntries(
    Object.entries(functions).map(([name, run]) => [
      name,
      (...shown) => {
        try {
          return run(...shown);
        } catch (error) {
          if (error?.payload !== undefined) throw error;
          const [place] = String(error?.stack).split('\n');
          throw failure('internal', 'exception', `${error} (${place})`);
        }
      },
    ]),
  );

/** The position of the column with this name; failing that, of the only one whose name differs in case. */
export function findColumn(columns, name) {
  const exact = columns.findIndex((column) => column.name === name);
  if (exact >= 0) return exact;
  const folded = name.toLowerCase();
  const alike = [...columns.keys()].filter((id) => columns[id].name.toLowerCase() === folded);
  return alike.length === 1 ? alike[0] : undefined;
}

/** Like `findColumn`, with the error `no-column` that lists what there is. */
export function requireColumn(owner, columns, name) {
  const id = findColumn(columns, name);
  if (id === undefined) {
    throw failure(
      'invalid-options',
      'no-column',
      `${owner} has no column '${name}'; its columns are ${names(columns)}`,
    );
  }
  return id;
}

/** The names of columns, for a message. */
export function names(columns) {
  return columns.map((column) => `'${column.name}'`).join(', ') || 'none';
}

/** The names of the key columns, in key order. */
export function keyNames(columns) {
  return columns
    .filter((column) => column.keyPosition !== undefined)
    .sort((a, b) => a.keyPosition - b.keyPosition)
    .map((column) => column.name);
}

// Expressions are written as trees and sent as a list in which operands stand before what refers to them.

/** A column of the source: the table that is read, or the delta of a merge. */
export const col = (column) => ({ tag: 'column', val: { side: 'source', column } });
/** A constant; the host binds it as a parameter. */
export const lit = (value) => ({ tag: 'literal', val: value });
const compare = (op) => (left, right) => ({ tag: 'compare', val: { op, left, right } });
export const eq = compare('eq');
export const ge = compare('ge');
export const le = compare('le');
export const allOf = (...operands) => ({ tag: 'all-of', val: operands });
export const anyOf = (...operands) => ({ tag: 'any-of', val: operands });
export const not = (operand) => ({ tag: 'negate', val: operand });
export const isNull = (operand) => ({ tag: 'is-null', val: operand });

/** The contract's form of a tree. */
export function expression(tree) {
  const nodes = [];
  const add = ({ tag, val }) => {
    switch (tag) {
      case 'compare':
        val = { op: val.op, left: add(val.left), right: add(val.right) };
        break;
      case 'negate':
      case 'is-null':
        val = add(val);
        break;
      case 'all-of':
      case 'any-of':
        val = val.map(add);
        break;
    }
    return nodes.push({ tag, val }) - 1;
  };
  const root = add(tree);
  return { nodes, root };
}

/**
 * The order of two values of one kind: negative, zero or positive. `undefined` where one is missing, and where
 * servers do not agree on one: text has an order for each collation, and NULL has none.
 */
export function order(a, b) {
  if (a === undefined || a.tag !== b?.tag) return undefined;
  const numbers = (x, y) => (x < y ? -1 : x > y ? 1 : 0);
  switch (a.tag) {
    case 'integer':
    case 'double':
    case 'date':
    case 'time':
    case 'timestamp':
      return numbers(a.val, b.val);
    case 'timestamp-tz':
      return numbers(a.val.ticks, b.val.ticks);
    case 'decimal': {
      const at = ({ high, low, scale }, common) =>
        ((high << 64n) + low) * 10n ** BigInt(common - scale);
      const common = Math.max(a.val.scale, b.val.scale);
      return numbers(at(a.val, common), at(b.val, common));
    }
    case 'binary': {
      const shared = Math.min(a.val.length, b.val.length);
      for (let i = 0; i < shared; i++) {
        if (a.val[i] !== b.val[i]) return a.val[i] - b.val[i];
      }
      return a.val.length - b.val.length;
    }
    default:
      return undefined;
  }
}
