//! The ways on that a hint names, as the person who reads it goes them.

/// One thing to do before the command is given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    EmptyTarget,
    LoadFull,
    ClearWatermark,
    /// The watermark is set to a mark before all rows.
    EarlierMark,
    /// The command is given with `--restart`.
    Restart,
    /// The lake table goes, and the next sync makes a new one.
    NewLakeTable,
}

/// What a hint says to do, the first of its ways that ends in equality; nothing where it says to run again.
///
/// How far the lake's rows go is nothing that a person knows; an earlier mark is.
pub fn steps(hint: &str) -> Vec<Step> {
    let says = |words: &str| hint.contains(words);
    let mut steps = Vec::new();
    if says("empty the target table") {
        steps.push(Step::EmptyTarget);
    }
    if says("load --full") {
        steps.push(Step::LoadFull);
        return steps;
    }
    if says("`icehost watermark set` with an earlier mark") {
        steps.push(Step::EarlierMark);
    } else if says("watermark clear") {
        steps.push(Step::ClearWatermark);
    }
    if says("--restart") {
        steps.push(Step::Restart);
    }
    let anew = [
        "new lake table",
        "another lake table",
        "move the directory of the lake table away",
    ];
    if steps.is_empty() && anew.into_iter().any(says) {
        steps.push(Step::NewLakeTable);
    }
    steps
}
