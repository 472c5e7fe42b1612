use super::*;

const LAST: usize = BUCKETS as usize - 1;

fn bucket(expected: u64, found: u64, hashes: i128) -> Bucket {
    let sum = |rows, hashes| Checksum {
        rows,
        halves: (hashes, 0),
    };
    Bucket {
        expected: sum(expected, 1),
        found: sum(found, hashes),
    }
}

#[test]
fn only_buckets_that_differ_are_compared_and_so_many_rows_at_a_time() {
    let mut buckets = vec![Bucket::default(); LAST + 1];
    buckets[0] = bucket(10, 10, 1);
    buckets[1] = bucket(10, 10, 2);
    buckets[2] = bucket(30, 25, 2);
    buckets[3] = bucket(40, 0, 2);
    buckets[LAST] = bucket(500, 500, 2);
    let passes = passes(&buckets, 100, true);
    let taken = |pass: &Pass<'_>| -> Vec<usize> { (0..=LAST).filter(|&at| pass.has(at)).collect() };
    let all: Vec<(Vec<usize>, u64)> = passes.each().map(|p| (taken(&p), p.rows)).collect();
    assert_eq!(all, [(vec![1, 2], 75), (vec![3], 40), (vec![LAST], 1000)]);
}

#[test]
fn where_rows_that_are_alike_may_be_wrong_all_that_are_several_are_compared() {
    let mut buckets = vec![Bucket::default(); LAST + 1];
    buckets[0] = bucket(10, 10, 1);
    buckets[1] = bucket(1, 1, 1);
    buckets[2] = bucket(1, 1, 2);
    let passes = passes(&buckets, 100, false);
    let taken = |pass: Pass<'_>| -> Vec<usize> { (0..=LAST).filter(|&at| pass.has(at)).collect() };
    let all: Vec<Vec<usize>> = passes.each().map(taken).collect();
    assert_eq!(all, [[0, 2]]);
}
