//! Whether a component is still that of its sources: where building takes long, what is there is used again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::Error;

/// Directories whose files are made of others, or belong to tools.
const NOT_SOURCES: &[&str] = &["build", "node_modules", "__pycache__"];

/// A component and a stamp of what it was built from.
pub(crate) struct Fresh {
    component: PathBuf,
    stamp: PathBuf,
    inputs: String,
}

impl Fresh {
    /// The component of the sources below `directory`, built by `tool`.
    pub(crate) fn new(component: &Path, directory: &Path, tool: &str) -> Result<Fresh, Error> {
        let mut files = Vec::new();
        collect(directory, &mut files)?;
        files.sort();
        let mut hasher = DefaultHasher::new();
        (env!("CARGO_PKG_VERSION"), tool).hash(&mut hasher);
        for file in files {
            file.hash(&mut hasher);
            crate::tool::read(&file)?.hash(&mut hasher);
        }
        Ok(Fresh {
            component: component.to_owned(),
            stamp: component.with_extension("inputs"),
            inputs: format!("{:016x}", hasher.finish()),
        })
    }

    /// The component, where it was built from just these sources.
    pub(crate) fn component(&self) -> Option<Vec<u8>> {
        let stamp = std::fs::read_to_string(&self.stamp).ok()?;
        (stamp == self.inputs).then(|| std::fs::read(&self.component).ok())?
    }

    /// The component that was now built from them.
    pub(crate) fn built(&self) -> Result<Vec<u8>, Error> {
        let component = crate::tool::read(&self.component)?;
        std::fs::write(&self.stamp, &self.inputs)
            .map_err(|e| Error::io(format!("write {}", self.stamp.display()), e))?;
        Ok(component)
    }

    /// Forgets what was built, before it is built anew.
    pub(crate) fn forget(&self) {
        let _ = std::fs::remove_file(&self.stamp);
    }
}

/// All files that may be sources: cases and earlier components are none, nor is what is hidden.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |e| Error::io(format!("read {}", directory.display()), e);
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.starts_with('.') || NOT_SOURCES.contains(&name.as_ref()) {
            continue;
        }
        let is_case = directory.ends_with("cases") && name.ends_with(".toml");
        if entry.file_type().map_err(unreadable)?.is_dir() {
            collect(&path, files)?;
        } else if path.is_file() && !is_case && !name.ends_with(".wasm") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_used_again_until_a_source_changes() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        let write = |path: &str, text: &str| {
            std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            std::fs::write(at(path), text).unwrap();
        };
        let fresh = |tool| Fresh::new(&at("build/x.wasm"), directory.path(), tool).unwrap();
        write("strategy.js", "1");
        write("lib/more.js", "2");
        write("build/x.wasm", "component");
        assert_eq!(fresh("a 1").component(), None, "nothing says of what it is");
        assert_eq!(fresh("a 1").built().unwrap(), b"component");
        assert_eq!(fresh("a 1").component().unwrap(), b"component");
        assert_eq!(fresh("a 2").component(), None, "another tool");

        write("cases/first.toml", "[[case]]");
        write("node_modules/x/x.js", "3");
        write("x.wasm", "a copy");
        assert!(fresh("a 1").component().is_some(), "these are no sources");
        write("lib/more.js", "3");
        assert_eq!(fresh("a 1").component(), None, "a source changed");

        fresh("a 1").built().unwrap();
        fresh("a 1").forget();
        assert_eq!(fresh("a 1").component(), None, "it is being built anew");
    }
}
