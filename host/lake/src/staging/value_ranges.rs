//! Values that are too many to be kept one by one: ranges that hold them all, and little else.

/// Some ranges, which grow together where there are more values than there is room.
#[derive(Debug)]
pub(crate) struct ValueRanges {
    /// In ascending order, none touching another, once settled.
    ranges: Vec<(i128, i128)>,
    /// Values that came since.
    pending: Vec<i128>,
    /// Most ranges that are kept, and most values that wait.
    most: usize,
}

impl ValueRanges {
    /// Of these values. Ranges and values that wait are half as many as `most` each.
    pub(crate) fn of(values: Vec<i128>, most: usize) -> ValueRanges {
        let mut ranges = ValueRanges {
            ranges: Vec::new(),
            pending: values,
            most: (most / 2).max(2),
        };
        ranges.settle();
        ranges
    }

    pub(crate) fn add(&mut self, value: i128) {
        self.pending.push(value);
        if self.pending.len() >= self.most {
            self.settle();
        }
    }

    /// Takes the values that came into the ranges. Where these are too many, those grow together that lie next to each
    /// other.
    pub(crate) fn settle(&mut self) {
        let mut all = std::mem::take(&mut self.ranges);
        all.extend(self.pending.drain(..).map(|value| (value, value)));
        self.pending.shrink_to(self.most);
        all.sort_unstable();
        let mut gap = 1_i128;
        loop {
            all = joined(&all, gap);
            if all.len() <= self.most {
                break;
            }
            gap = gap.saturating_mul(2);
        }
        self.ranges = all;
    }

    /// Whether a value may lie between the two, both included. To be asked once settled.
    pub(crate) fn any_between(&self, low: i128, high: i128) -> bool {
        let at = self.ranges.partition_point(|range| range.1 < low);
        self.ranges.get(at).is_some_and(|range| range.0 <= high)
    }
}

/// The ranges, with those in one that are no further apart than this.
fn joined(ranges: &[(i128, i128)], gap: i128) -> Vec<(i128, i128)> {
    let mut joined: Vec<(i128, i128)> = Vec::new();
    for &(low, high) in ranges {
        match joined.last_mut() {
            Some(last) if low.saturating_sub(last.1) <= gap => last.1 = last.1.max(high),
            _ => joined.push((low, high)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_and_there_are_no_more_than_there_may_be() {
        for step in [1, 2, 1000, 1 << 80] {
            let value = |n: i128| (n * 7919 % 100_003) * step;
            let mut ranges = ValueRanges::of((0..1000).map(value).collect(), 200);
            (1000..100_000).for_each(|n| ranges.add(value(n)));
            ranges.settle();
            assert!(ranges.ranges.len() <= 100, "{step}");
            assert!((0..100_000).all(|n| ranges.any_between(value(n), value(n))));
            assert!(!ranges.any_between(100_003 * step, i128::MAX));
            assert!(!ranges.any_between(i128::MIN, -1));
        }
    }

    #[test]
    fn values_next_to_each_other_are_one_range_and_others_stay_apart() {
        let mut ranges = ValueRanges::of((0..50_000).collect(), 20);
        (1_000_000..1_050_000).for_each(|n| ranges.add(n));
        ranges.settle();
        assert_eq!(ranges.ranges, [(0, 49_999), (1_000_000, 1_049_999)]);
        assert!(!ranges.any_between(50_000, 999_999));
        ranges.add(i128::MAX);
        ranges.add(i128::MIN);
        ranges.settle();
        assert!(ranges.any_between(i128::MAX, i128::MAX));
        assert!(!ranges.any_between(i128::MIN + 1, -1));
    }
}
