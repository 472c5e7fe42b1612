//! What leads on from a mark that the source does not bear out: it hangs on how rows land in the lake.

use crate::watermark::record::WatermarkRecord;

impl WatermarkRecord {
    /// Whether the lake table of this watermark keeps every row: a second reading of all rows would add them again, and
    /// a run refuses it.
    pub fn keeps_every_row(&self) -> bool {
        let shape = self.shape.as_ref();
        shape.is_some_and(|shape| shape.keys.is_empty())
    }

    /// What to do where rows below the mark are to be read again, and to go on from the mark itself where `unchanged`
    /// holds.
    pub(crate) fn ways_on(&self, unchanged: &str) -> String {
        let same = self.set_again();
        match self.keeps_every_row() {
            false => format!(
                "`icehost watermark clear` reads every row again; where {unchanged}, {same} goes on"
            ),
            true => format!(
                "the lake table keeps every row, and takes none a second time: read everything into another one, with \
                 --lake-table; where {unchanged}, {same} goes on"
            ),
        }
    }

    /// The command that sets the same mark: the first one, without which no strategy goes on.
    fn set_again(&self) -> String {
        let mark = self.watermark.marks.first();
        let mark = mark.map(|(name, value)| format!("{name}={value}"));
        let plain = |mark: &String| {
            let as_it_is = |c: char| c.is_ascii_alphanumeric() || "_-+=:.".contains(c);
            mark.len() <= MOST_OF_A_MARK && mark.chars().all(as_it_is)
        };
        match mark.filter(plain) {
            Some(mark) => format!("`icehost watermark set --mark {mark}`"),
            None => "`icehost watermark set` with the same mark".to_owned(),
        }
    }
}

/// Characters of a mark that a command in a hint has.
const MOST_OF_A_MARK: usize = 100;
