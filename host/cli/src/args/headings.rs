//! The groups that help is told in, and the strategies that it lists.

use icehost_plugins::Kind;

pub(super) const SOURCE: &str = "Source";
pub(super) const LAKE: &str = "Lake";
pub(super) const TARGET: &str = "Target";
pub(super) const STRATEGIES: &str = "Strategies and rules";
pub(super) const FIRST_LOAD: &str = "First load";
pub(super) const LIMITS: &str = "Limits";
pub(super) const WAITS: &str = "Waits";
pub(super) const CACHE: &str = "Cache";
pub(super) const OUTPUT: &str = "Output";

/// A flag's help, with the shipped strategies that it may name.
pub(super) fn shipped(what: &str, kind: Kind) -> String {
    let shipped = icehost_plugins::shipped().iter();
    let names: Vec<&str> = shipped
        .filter(|shipped| shipped.kind == kind)
        .map(|shipped| shipped.name)
        .collect();
    let what = match what.ends_with('?') {
        true => format!("{what} One that is shipped"),
        false => format!("{what}: one that is shipped"),
    };
    format!("{what} ({}) or a component's file", names.join(", "))
}
