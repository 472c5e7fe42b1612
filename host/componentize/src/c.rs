//! From C to a component: generated bindings, clang for wasm32 without a standard library, wasm-ld.

use std::path::{Path, PathBuf};
use std::process::Command;

use wit_bindgen_core::Files;
use wit_component::StringEncoding;
use wit_parser::{Resolve, WorldId, WorldKey};

use crate::project::Project;
use crate::tool;
use crate::toolchain::find_newest;
use crate::{BuildOptions, Built, Error, encode};

/// What generated names start with, and the generated files are called, whatever the world.
const PREFIX: &str = "icehost";

/// Freestanding: what a strategy needs of the C library is among its sources.
const FLAGS: &[&str] = &[
    "--target=wasm32-unknown-unknown",
    "-std=c11",
    "-ffreestanding",
    "-fno-builtin",
    "-nostdlib",
    "-Os",
    "-Wall",
    "-Wl,--no-entry",
    "-Wl,--gc-sections",
    "-Wl,--strip-all",
    "-Wl,--stack-first",
];

pub(crate) fn build(project: &Project, options: &BuildOptions) -> Result<Built, Error> {
    let name = project.name()?.to_owned();
    let (clang, linker) = (find("clang")?, find("wasm-ld")?);
    let scratch = tool::scratch(&project.directory)?;
    bindings(project, &scratch)?;
    let mut sources = sources(&project.directory)?;
    sources.push(scratch.join(format!("{PREFIX}.c")));
    sources.push(scratch.join(format!("{PREFIX}_component_type.o")));
    let module = scratch.join(format!("{name}.core.wasm"));
    options.tell(&format!("building {name} with clang"));
    let mut command = Command::new(clang);
    command
        .current_dir(&project.directory)
        .args(FLAGS)
        .arg(format!("-fuse-ld={}", linker.display()))
        .arg("-I")
        .arg(&scratch)
        .args(["-I", "libc", "-o"])
        .arg(&module)
        .args(sources);
    tool::run(command, options.output)?;
    Ok(Built {
        package: name,
        component: encode(&tool::read(&module)?)?,
    })
}

fn find(program: &str) -> Result<PathBuf, Error> {
    find_newest(program, std::env::var_os("PATH").as_deref()).ok_or_else(|| Error::MissingTool {
        tool: program.to_owned(),
        reason: format!("there is neither {program} nor {program}-N on the PATH"),
        hint: "on Debian: apt-get install clang lld".to_owned(),
    })
}

/// The C files of the directory and of its `libc`.
fn sources(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut sources = Vec::new();
    for directory in [directory.to_owned(), directory.join("libc")] {
        if !directory.is_dir() {
            continue;
        }
        let unreadable = |e| Error::io(format!("read {}", directory.display()), e);
        for entry in std::fs::read_dir(&directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "c") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

/// Writes what wit-bindgen makes of the contract: a header, its implementation, and an object file that says
/// what component the module wants to be.
fn bindings(project: &Project, scratch: &Path) -> Result<(), Error> {
    let wit = project.directory.join("wit");
    let refused = |e: &dyn std::fmt::Display| Error::Contract {
        path: wit.clone(),
        reason: format!("{e:#}"),
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(&wit).map_err(|e| refused(&e))?;
    let world = resolve
        .select_world(&[package], Some(project.world()?))
        .map_err(|e| refused(&e))?;
    let options = wit_bindgen_c::Opts {
        rename: short_names(&resolve, world),
        rename_world: Some(PREFIX.to_owned()),
        string_encoding: StringEncoding::UTF8,
        ..wit_bindgen_c::Opts::default()
    };
    let mut files = Files::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .map_err(|e| refused(&e))?;
    for (name, bytes) in files.iter() {
        let path = scratch.join(name);
        std::fs::write(&path, bytes)
            .map_err(|e| Error::io(format!("write {}", path.display()), e))?;
    }
    Ok(())
}

/// Interfaces by their names alone: `types_value_t`, whatever the package and the version.
fn short_names(resolve: &Resolve, world: WorldId) -> Vec<(String, String)> {
    let world = &resolve.worlds[world];
    let named = |key: &WorldKey| match key {
        WorldKey::Interface(id) => {
            let name = resolve.interfaces[*id].name.as_ref()?;
            Some((resolve.name_world_key(key), name.replace('-', "_")))
        }
        WorldKey::Name(_) => None,
    };
    let keys = world.imports.keys().chain(world.exports.keys());
    keys.filter_map(named).collect()
}
