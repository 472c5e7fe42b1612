//! The seeds of [`module`](super::module): `ICEHOST_RECORD_SEEDS=1` writes them anew.
#![allow(clippy::unwrap_used)]

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a world says, and a module that is one.
const MODULES: [(&str, &str, &str); 3] = [
    ("nothing", "", ""),
    (
        "exports",
        "export add: func(a: u32, b: u32) -> u32; export word: func(of: list<string>) -> string;",
        r#"(memory (export "memory") 1)
           (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
           (func (export "word") (param i32 i32) (result i32) i32.const 8)
           (func (export "cabi_post_word") (param i32))
           (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 64)"#,
    ),
    (
        "imports",
        "import log: func(what: string); record pair { a: u8, b: option<s64> } variant either { one(pair), none } \
         export choose: func(it: either) -> result<u32, string>;",
        r#"(import "$root" "log" (func $log (param i32 i32)))
           (memory (export "memory") 1)
           (func (export "choose") (param i32 i32 i32 i64) (result i32)
               i32.const 0 i32.const 4 call $log i32.const 16)
           (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 64)"#,
    ),
];

#[test]
fn modules_with_a_world_of_their_own_become_components() {
    for (name, world, module) in MODULES {
        let mut resolve = Resolve::default();
        let text = format!("package fuzz:seed; world {name} {{ {world} }}");
        let package = resolve.push_str("seed.wit", &text).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let mut bytes = wat::parse_str(format!("(module {module})")).unwrap();
        embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).unwrap();
        assert!(super::module(&bytes), "{name}");
        if std::env::var_os("ICEHOST_RECORD_SEEDS").is_some() {
            let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/module");
            std::fs::create_dir_all(seeds).unwrap();
            std::fs::write(format!("{seeds}/{name}"), bytes).unwrap();
        }
    }
}
