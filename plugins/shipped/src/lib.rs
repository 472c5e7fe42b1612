//! The strategies that icehost ships, as components.

/// What a strategy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Which rows of a source changed.
    ChangeDetector,
    /// How a delta lands in a target.
    Merger,
    /// What becomes of rows on their way to the lake.
    BatchTransformer,
}

/// A strategy that is part of the program.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// What users call it, for example `timestamp`.
    pub name: &'static str,
    /// What it decides.
    pub kind: Kind,
    /// The component.
    pub component: &'static [u8],
}

/// All of them.
pub fn shipped() -> &'static [Shipped] {
    include!(concat!(env!("OUT_DIR"), "/shipped.rs"))
}

/// The one with this name.
pub fn find(name: &str) -> Option<Shipped> {
    shipped()
        .iter()
        .copied()
        .find(|shipped| shipped.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_component_of_its_own() {
        for shipped in shipped() {
            // The component model's preamble: magic, version 0xd, layer 1.
            assert!(
                shipped.component.starts_with(b"\0asm\x0d\0\x01\0"),
                "{}",
                shipped.name
            );
            let same = |other: &&Shipped| other.component == shipped.component;
            assert_eq!(
                super::shipped().iter().filter(same).count(),
                1,
                "{}",
                shipped.name
            );
        }
    }

    #[test]
    fn a_name_that_is_not_shipped_is_not_found() {
        assert!(find("timestamp").is_some());
        assert!(find("Timestamp").is_none());
    }
}
