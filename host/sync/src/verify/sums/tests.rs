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
    let taken = |pass: &Pass| -> Vec<usize> { (0..=LAST).filter(|&at| pass.has(at)).collect() };
    let all: Vec<(Vec<usize>, usize)> = passes.iter().map(|p| (taken(p), p.rows)).collect();
    assert_eq!(all, [(vec![1, 2], 75), (vec![3], 40), (vec![LAST], 100)]);
}

#[test]
fn where_rows_that_are_alike_may_be_wrong_all_that_are_several_are_compared() {
    let mut buckets = vec![Bucket::default(); LAST + 1];
    buckets[0] = bucket(10, 10, 1);
    buckets[1] = bucket(1, 1, 1);
    buckets[2] = bucket(1, 1, 2);
    let passes = passes(&buckets, 100, false);
    let taken: Vec<usize> = (0..=LAST).filter(|&at| passes[0].has(at)).collect();
    assert_eq!((passes.len(), taken), (1, vec![0, 2]));
}

#[test]
fn a_server_that_says_more_rows_than_there_can_be_gets_no_more_memory() {
    let mut buckets = vec![Bucket::default(); LAST + 1];
    buckets[0] = bucket(u64::MAX, u64::MAX, 2);
    buckets[1] = bucket(u64::MAX, 1, 2);
    let passes = passes(&buckets, 100, true);
    let rows: Vec<usize> = passes.iter().map(|pass| pass.rows).collect();
    assert_eq!(rows, [100, 100]);
}
