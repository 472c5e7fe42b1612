//! Components that are small to send and large to compile, each of one kind, sizes drawn from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014): the same bombs in each run.
pub(super) struct Seeded(pub(super) u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// So many, and up to as many again.
    fn from(&mut self, least: usize) -> usize {
        least + usize::try_from(self.next() % least as u64).unwrap()
    }
}

/// A bomb, and what is said of it.
pub(super) struct Bomb {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Any of these, since what a compiler comes to first differs from machine to machine.
    pub(super) says: &'static [&'static str],
}

/// Sections of core modules (WebAssembly core specification, "Modules").
const TYPE: u8 = 1;
const IMPORT: u8 = 2;
const FUNCTION: u8 = 3;
const TABLE: u8 = 4;
const MEMORY: u8 = 5;
const GLOBAL: u8 = 6;
const EXPORT: u8 = 7;
const ELEMENT: u8 = 9;
const CODE: u8 = 10;
const DATA: u8 = 11;
const I32: u8 = 0x7f;
const EMPTY: u8 = 0x40;

/// An unsigned number, seven bits a byte.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        match number {
            0 => {
                bytes.push(byte);
                return bytes;
            }
            _ => bytes.push(byte | 0x80),
        }
    }
}

fn join(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    parts.into_iter().fold(Vec::new(), |mut all, part| {
        all.extend(part.as_ref());
        all
    })
}

/// With its length before it.
fn sized(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    join([&leb(bytes.len()), bytes])
}

fn section(id: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    join([vec![id], sized(content)])
}

/// A section of so many equal items.
fn items(id: u8, count: usize, item: impl AsRef<[u8]>) -> Vec<u8> {
    section(id, join([leb(count), item.as_ref().repeat(count)]))
}

fn module(sections: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    join([b"\0asm\x01\0\0\0".to_vec(), join(sections)])
}

fn component(sections: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    join([b"\0asm\x0d\0\x01\0".to_vec(), join(sections)])
}

fn of_module(sections: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    component([section(1, module(sections))])
}

/// The type of functions that take nothing and return nothing.
fn no_values() -> Vec<u8> {
    items(TYPE, 1, [0x60, 0, 0])
}

/// A module of one function with so many locals and this code.
fn one_function(locals: usize, code: &[u8]) -> Vec<u8> {
    let locals = join([vec![1], leb(locals), vec![I32]]);
    let body = sized(join([&locals, code, &[0x0b]]));
    of_module([no_values(), items(FUNCTION, 1, [0]), items(CODE, 1, body)])
}

fn functions(count: usize) -> Vec<u8> {
    of_module([
        no_values(),
        items(FUNCTION, count, [0]),
        items(CODE, count, [2, 0, 0x0b]),
    ])
}

/// Blocks within each other, around this code.
fn nested(depth: usize, opens: u8, code: &[u8]) -> Vec<u8> {
    join([
        [opens, EMPTY].repeat(depth),
        code.to_vec(),
        vec![0x0b; depth],
    ])
}

/// A branch by table out of a block, to so many targets.
fn branch_table(targets: usize) -> Vec<u8> {
    let table = join([vec![0x41, 0, 0x0e], leb(targets), vec![0; targets], vec![0]]);
    nested(1, 0x02, &table)
}

/// Components within each other.
fn matryoshka(depth: usize) -> Vec<u8> {
    (0..depth).fold(component([]), |inner, _| component([section(4, inner)]))
}

/// Every local is read and written in the innermost of many loops, each of which has a value of its own for it: bytes
/// grow with the sum of the two, what a compiler keeps with their product.
fn values_of_loops(locals: usize, depth: usize) -> Vec<u8> {
    let each = (0..locals).map(|local| {
        join([
            vec![0x20],
            leb(local),
            vec![0x41, 1, 0x6a, 0x21],
            leb(local),
        ])
    });
    // Back to the start of each, so that none knows its values before its end.
    let back = (0..depth).map(|label| join([vec![0x41, 0, 0x0d], leb(label)]));
    let code = join([join(each), join(back)]);
    one_function(locals, &nested(depth, 0x03, &code))
}

const TOO_MANY: &[&str] = &["a strategy has at most"];
const STOPPED: &[&str] = &["did not compile within"];
/// What compiles is looked at.
const NO_STRATEGY: &[&str] = &["is not a strategy", "did not compile within"];

/// One bomb of each kind that is told by a count.
pub(super) fn counted(seeded: &mut Seeded) -> Vec<Bomb> {
    let counted = |name, bytes| Bomb {
        name,
        bytes,
        says: TOO_MANY,
    };
    let name = sized("a");
    vec![
        counted("functions", functions(seeded.from(350_000))),
        counted("more functions", functions(seeded.from(650_000))),
        counted(
            "a long function",
            one_function(1, &vec![0x01; seeded.from(3 << 20)]),
        ),
        counted(
            "blocks",
            one_function(1, &nested(seeded.from(50_000), 0x02, &[])),
        ),
        counted(
            "loops",
            one_function(1, &nested(seeded.from(50_000), 0x03, &[])),
        ),
        counted(
            "targets",
            one_function(1, &branch_table(seeded.from(500_000))),
        ),
        counted("locals", one_function(seeded.from(25_000), &[])),
        counted(
            "types",
            of_module([items(TYPE, seeded.from(400_000), [0x60, 0, 0])]),
        ),
        counted(
            "imports",
            of_module([
                no_values(),
                items(
                    IMPORT,
                    seeded.from(400_000),
                    join([&name, &name, &vec![0, 0]]),
                ),
            ]),
        ),
        counted(
            "exports",
            of_module([
                no_values(),
                items(FUNCTION, 1, [0]),
                items(EXPORT, seeded.from(400_000), join([&name, &vec![0, 0]])),
                items(CODE, 1, [2, 0, 0x0b]),
            ]),
        ),
        counted(
            "globals",
            of_module([items(GLOBAL, seeded.from(400_000), [I32, 1, 0x41, 0, 0x0b])]),
        ),
        counted(
            "tables",
            of_module([items(TABLE, seeded.from(50_000), [0x70, 0, 0])]),
        ),
        counted(
            "memories",
            of_module([items(MEMORY, seeded.from(50_000), [0, 0])]),
        ),
        counted(
            "data",
            of_module([
                items(MEMORY, 1, [0, 1]),
                items(DATA, seeded.from(90_000), [0, 0x41, 0, 0x0b, 1, 7]),
            ]),
        ),
        counted(
            "elements",
            of_module([
                no_values(),
                items(FUNCTION, 1, [0]),
                items(TABLE, 1, [0x70, 0, 1]),
                items(
                    ELEMENT,
                    1,
                    join([vec![0, 0x41, 0, 0x0b], leb(400_000), vec![0; 400_000]]),
                ),
                items(CODE, 1, [2, 0, 0x0b]),
            ]),
        ),
        counted(
            "modules",
            component(vec![section(1, module([])); seeded.from(10_000)]),
        ),
        counted(
            "components",
            component(vec![section(4, component([])); seeded.from(10_000)]),
        ),
        counted("components within each other", matryoshka(seeded.from(200))),
        counted(
            "instances",
            component([
                section(1, module([])),
                items(2, seeded.from(100_000), [0, 0, 0]),
            ]),
        ),
        // Types of components: each a list of what the one before it is.
        counted(
            "definitions",
            component([items(7, seeded.from(1 << 20), [0x70, 0x7f])]),
        ),
    ]
}

/// What no count tells: within the bounds that are counted, and stopped by the system where it takes too much.
pub(super) fn uncounted() -> Vec<Bomb> {
    vec![
        Bomb {
            name: "values of loops",
            bytes: values_of_loops(4_900, 1_900),
            says: STOPPED,
        },
        Bomb {
            name: "as many functions as there may be",
            bytes: functions(59_000),
            says: NO_STRATEGY,
        },
        Bomb {
            name: "as many targets as there may be",
            bytes: one_function(1, &branch_table(59_000)),
            says: NO_STRATEGY,
        },
        Bomb {
            name: "as long a function as there may be",
            bytes: one_function(1, &[0x41, 1, 0x1a].repeat(690_000)),
            says: NO_STRATEGY,
        },
    ]
}
