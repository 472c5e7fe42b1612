// How far a column has been read: the mark, the server's time at which it was read, and a few earlier marks.
//
// A row gets its number when it is written and is seen when its transaction commits. What was not yet committed
// at the last run was written, at the earliest, the length of its transaction before that run; so the next run
// reads again from the mark that had been reached that long before. What the lake has of it, the host leaves out.

import { failure, findColumn, order } from './icehost.js';

/** The layout of the watermark; in format 1 it was the mark alone. */
const FORMAT = 2;
/** The longest transaction whose rows are found for certain: a minute, in ticks of 100 ns. */
const LATE = 600_000_000n;
/** Earlier marks that are nearer in time than this tell little of each other. */
const APART = LATE / 6n;

/** What a watermark says of column `id`: `undefined` where nothing has been read. */
export function read({ table, watermark }, id) {
  if (watermark === undefined) return undefined;
  const { name, kind } = table.columns[id];
  const [[own, number]] = watermark.marks.length > 0 ? watermark.marks : [['', undefined]];
  const marks = new Map(watermark.marks);
  const known = watermark.format === FORMAT || (watermark.format === 1 && marks.size === 1);
  const time = (mark) => {
    const at = marks.get(`${mark} read at`);
    return at?.tag === 'timestamp' ? at.val : undefined;
  };

  const earlier = [];
  for (let mark = `${own} before 1`; time(mark) !== undefined; mark = `${own} before ${earlier.length + 1}`) {
    earlier.push({ number: marks.get(mark), at: time(mark) });
  }
  const least = marks.get(`${own} least`);
  const numbers = [number, least, ...earlier.map((mark) => mark.number)].filter((of) => of !== undefined);
  const ofKind = numbers.every(({ tag }) => tag === kind || tag === 'null');
  if (!known || number === undefined || findColumn(table.columns, own) !== id || !ofKind) {
    throw failure(
      'stale-watermark',
      'other-watermark',
      `the watermark is not one of column '${name}' as it is now`,
    );
  }
  if (number.tag === 'null') return undefined;
  const at = time(own);
  return { number, at, byHand: at === undefined && watermark.format === FORMAT, least, earlier };
}

/** The number from which on the next run reads again; `least` is the smallest that there is now. */
export function lowest(seen, least) {
  // Somebody has said where to begin.
  if (seen.byHand) return seen.number;
  const enough = seen.earlier.find(({ at }) => at <= seen.at - LATE);
  // Numbers do not tell how far back a minute lies: until a mark is as old as that, all rows are read again.
  return enough?.number ?? smaller(seen.number, least);
}

/** The watermark of a run that has read up to `number` at `now`; `number` is `undefined` where there is none. */
export function watermark(name, seen, number, least, now) {
  if (number === undefined) return { format: FORMAT, marks: [[name, { tag: 'null' }]] };
  const marks = [
    [name, number],
    [`${name} read at`, { tag: 'timestamp', val: now }],
  ];
  if (least.tag === 'null') least = seen?.least ?? least;
  if (least.tag !== 'null') marks.push([`${name} least`, least]);
  thinned(before(seen, number, now), now).forEach((mark, i) =>
    marks.push(
      [`${name} before ${i + 1}`, mark.number],
      [`${name} before ${i + 1} read at`, { tag: 'timestamp', val: mark.at }],
    ),
  );
  return { format: FORMAT, marks };
}

/** The marks before this run's, the latest first. A clock that was set back has read none of them later than now. */
function before(seen, number, now) {
  if (seen === undefined) return [];
  const latest = seen.at === undefined ? [] : [{ number: seen.number, at: seen.at }];
  return [...latest, ...seen.earlier]
    .map((mark) => ({ number: mark.number, at: mark.at < now ? mark.at : now }))
    .filter((mark) => mark.at < now || order(mark.number, number) !== 0);
}

/** Those that later runs can need: none older than one that is old enough, and none hardly newer than another. */
function thinned(marks, now) {
  const enough = marks.findIndex(({ at }) => at <= now - LATE);
  const kept = [];
  for (const mark of marks.slice(0, enough < 0 ? undefined : enough + 1).reverse()) {
    const last = kept[0];
    if (last === undefined || (mark.at - last.at >= APART && order(mark.number, last.number) !== 0)) {
      kept.unshift(mark);
    }
  }
  return kept;
}

/** The smaller of two numbers, of which the second may be NULL. */
export function smaller(one, other) {
  return order(other, one) < 0 ? other : one;
}
