//! What a component consists of, counted before anything is compiled.
//!
//! Memory and time of a compiler grow with these numbers, with some of them faster than with their first power, and a
//! file of a few bytes can have many of them. The bounds are some times what interpreters of whole languages have:
//! Python's has 13,485 functions, 41 modules and 111 instances, JavaScript's 9.2 MB of code and 10,002 segments of data,
//! and Python's largest function has 427 KB, 781 blocks within each other and 15,805 targets of branch tables. They are no promise that what keeps them compiles: that is what
//! [`process`](super::process) bounds.

use wasmparser::{ElementItems, FunctionBody, Operator, Parser, Payload, SectionLimited};

use crate::LoadError;
use crate::load_error::reason;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Functions,
    FunctionBytes,
    CodeBytes,
    Locals,
    Blocks,
    Targets,
    Types,
    Imports,
    Exports,
    Globals,
    Tables,
    Memories,
    Segments,
    Elements,
    Modules,
    Nesting,
    Instances,
    Canonical,
    Definitions,
}

impl Part {
    /// What people call it, and the most of it. Of those of one function or of a nesting, the largest one counts, of all
    /// others the sum over everything that is nested in the component.
    const fn bound(self) -> (&'static str, u64) {
        match self {
            Part::Functions => ("functions", 60_000),
            Part::FunctionBytes => ("bytes of code in one function", 2 << 20),
            Part::CodeBytes => ("bytes of code", 24 << 20),
            Part::Locals => ("locals in one function", 5_000),
            Part::Blocks => ("blocks within each other", 3_000),
            Part::Targets => ("targets of branch tables in one function", 60_000),
            Part::Types => ("types of functions", 10_000),
            Part::Imports => ("imports of modules", 10_000),
            Part::Exports => ("exports of modules", 20_000),
            Part::Globals => ("globals", 10_000),
            Part::Tables => ("tables", 64),
            Part::Memories => ("memories", 64),
            Part::Segments => ("segments of data and elements", 50_000),
            Part::Elements => ("elements of tables", 100_000),
            Part::Modules => ("modules and components within it", 200),
            Part::Nesting => ("components within each other", 8),
            Part::Instances => ("instances", 500),
            Part::Canonical => ("functions between components", 500),
            Part::Definitions => ("bytes that say how its modules belong together", 512 << 10),
        }
    }

    const ALL: usize = Part::Definitions as usize + 1;
}

/// What has been counted so far.
#[derive(Debug, Default)]
struct Shape([u64; Part::ALL]);

impl Shape {
    fn add(&mut self, part: Part, more: u64) -> Result<(), LoadError> {
        let sum = self.0[part as usize].saturating_add(more);
        self.most(part, sum)
    }

    /// Of what is counted in one place of many.
    fn most(&mut self, part: Part, count: u64) -> Result<(), LoadError> {
        let (what, limit) = part.bound();
        if count > limit {
            return Err(LoadError::TooMuch { what, count, limit });
        }
        let known = &mut self.0[part as usize];
        *known = count.max(*known);
        Ok(())
    }

    fn section<T>(&mut self, part: Part, section: &SectionLimited<'_, T>) -> Result<(), LoadError> {
        self.add(part, u64::from(section.count()))
    }

    /// A section of a component itself.
    fn definitions<T>(&mut self, section: &SectionLimited<'_, T>) -> Result<(), LoadError> {
        let range = section.range();
        self.add(Part::Definitions, range.end.saturating_sub(range.start))
    }

    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), LoadError> {
        self.most(Part::FunctionBytes, body.as_bytes().len() as u64)?;
        let mut locals = 0u64;
        for group in body.get_locals_reader().map_err(invalid)? {
            locals += u64::from(group.map_err(invalid)?.0);
        }
        self.most(Part::Locals, locals)?;
        let (mut depth, mut targets) = (0u64, 0u64);
        for operator in body.get_operators_reader().map_err(invalid)? {
            match operator.map_err(invalid)? {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Try { .. }
                | Operator::TryTable { .. } => {
                    depth += 1;
                    self.most(Part::Blocks, depth)?;
                }
                Operator::End => depth = depth.saturating_sub(1),
                Operator::BrTable { targets: table } => {
                    targets += u64::from(table.len());
                    self.most(Part::Targets, targets)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether the component, or the core module, is within all bounds.
///
/// # Errors
/// What there is too much of; what cannot be read.
pub(super) fn check(bytes: &[u8]) -> Result<(), LoadError> {
    count(bytes).map(drop)
}

fn count(bytes: &[u8]) -> Result<Shape, LoadError> {
    let mut shape = Shape::default();
    let mut nesting = 0u64;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::TypeSection(section) => shape.section(Part::Types, &section)?,
            Payload::ImportSection(section) => shape.section(Part::Imports, &section)?,
            Payload::FunctionSection(section) => shape.section(Part::Functions, &section)?,
            Payload::TableSection(section) => shape.section(Part::Tables, &section)?,
            Payload::MemorySection(section) => shape.section(Part::Memories, &section)?,
            Payload::GlobalSection(section) => shape.section(Part::Globals, &section)?,
            Payload::ExportSection(section) => shape.section(Part::Exports, &section)?,
            Payload::DataSection(section) => shape.section(Part::Segments, &section)?,
            Payload::ElementSection(section) => {
                shape.section(Part::Segments, &section)?;
                for element in section {
                    let items = match element.map_err(invalid)?.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    shape.add(Part::Elements, u64::from(items))?;
                }
            }
            Payload::CodeSectionStart { size, .. } => {
                shape.add(Part::CodeBytes, u64::from(size))?
            }
            Payload::CodeSectionEntry(body) => shape.function(&body)?,
            Payload::ModuleSection { .. } => {
                shape.add(Part::Modules, 1)?;
                nesting += 1;
            }
            Payload::ComponentSection { .. } => {
                shape.add(Part::Modules, 1)?;
                nesting += 1;
                shape.most(Part::Nesting, nesting)?;
            }
            Payload::End(_) => nesting = nesting.saturating_sub(1),
            Payload::InstanceSection(section) => {
                shape.section(Part::Instances, &section)?;
                shape.definitions(&section)?;
            }
            Payload::ComponentInstanceSection(section) => {
                shape.section(Part::Instances, &section)?;
                shape.definitions(&section)?;
            }
            Payload::ComponentCanonicalSection(section) => {
                shape.section(Part::Canonical, &section)?;
                shape.definitions(&section)?;
            }
            Payload::CoreTypeSection(section) => shape.definitions(&section)?,
            Payload::ComponentTypeSection(section) => shape.definitions(&section)?,
            Payload::ComponentAliasSection(section) => shape.definitions(&section)?,
            Payload::ComponentImportSection(section) => shape.definitions(&section)?,
            Payload::ComponentExportSection(section) => shape.definitions(&section)?,
            _ => {}
        }
    }
    Ok(shape)
}

fn invalid(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid {
        reason: reason(&error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_far_within_each_bound() {
        let parts = [
            Part::Functions,
            Part::FunctionBytes,
            Part::CodeBytes,
            Part::Locals,
            Part::Blocks,
            Part::Targets,
            Part::Types,
            Part::Definitions,
        ];
        for shipped in icehost_plugins::shipped() {
            let shape = count(shipped.component).unwrap();
            for part in parts {
                let (what, limit) = part.bound();
                let has = shape.0[part as usize];
                assert!(
                    has > 0 || matches!(part, Part::Targets),
                    "{}: {what}",
                    shipped.name
                );
                assert!(has * 10 < limit, "{}: {has} {what}", shipped.name);
            }
        }
    }

    /// Where one of several is too large, or the last of many, it is told as well.
    #[test]
    fn each_nested_part_counts() {
        let component = |inner: &str| wat::parse_str(format!("(component {inner})")).unwrap();
        let modules = "(core module (func) (func))".repeat(3);
        let shape = count(&component(&format!("{modules} (component {modules})"))).unwrap();
        assert_eq!(shape.0[Part::Functions as usize], 12);
        assert_eq!(shape.0[Part::Modules as usize], 7);
        assert_eq!(shape.0[Part::Nesting as usize], 1);
        let deep = (0..9).fold(String::new(), |inner, _| format!("(component {inner})"));
        let error = check(&component(&deep)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the component has 9 components within each other; a strategy has at most 8"
        );
        // One after another they are not within each other.
        check(&component(&"(component)".repeat(100))).unwrap();
    }
}
