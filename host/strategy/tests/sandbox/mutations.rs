//! Damaged modules and components: each is refused with a reason, or loads. None ends the program.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, MutexGuard, PoisonError};

use icehost_componentize::{Error, encode};
use icehost_strategy::StrategyError;
use wit_parser::{LiftLowerAbi, ManglingAndAbi};

use crate::fixtures::{CONTRACT, dummy, hostile_component, runtime, with_type, world};

/// Damaged modules that are made into components.
const MODULES: u64 = 1500;
/// Damaged components that are loaded, which compiles them: few enough to take seconds.
const COMPONENTS: usize = 200;

/// A module that asks to be a component of this world, as compilers leave it.
fn module(name: &str) -> Vec<u8> {
    let (resolve, world) = world(&[CONTRACT], name);
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let module = wit_component::dummy_module(&resolve, world, mangling);
    with_type(module, &resolve, world)
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same mutations in each run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

/// One kind of damage: a cut, bytes changed, removed, repeated or moved.
fn damage(whole: &[u8], seeded: &mut Seeded) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    // The first bytes say that it is a module; without them it is refused by that.
    let at = |seeded: &mut Seeded, bytes: &[u8]| 8 + seeded.below(bytes.len() - 8);
    match seeded.below(6) {
        0 => bytes.truncate(at(seeded, &bytes)),
        1 => {
            for _ in 0..=seeded.below(4) {
                let at = at(seeded, &bytes);
                bytes[at] = seeded.next() as u8;
            }
        }
        2 => {
            let at = at(seeded, &bytes);
            bytes[at] ^= 1 << seeded.below(8);
        }
        3 => {
            let from = at(seeded, &bytes);
            let to = (from + 1 + seeded.below(64)).min(bytes.len());
            bytes.drain(from..to);
        }
        4 => {
            let from = at(seeded, &bytes);
            let to = (from + 1 + seeded.below(64)).min(bytes.len());
            let piece = bytes[from..to].to_vec();
            let at = at(seeded, &bytes);
            bytes.splice(at..at, piece);
        }
        _ => {
            let (a, b) = (at(seeded, &bytes), at(seeded, &bytes));
            bytes.swap(a, b);
        }
    }
    bytes
}

/// What the process does with a panic.
type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;

/// What panicked in the code that reads damaged bytes while this lives. A panic that is caught counts, too: that wall
/// is not to be leant on. Other cases of this program panic on purpose meanwhile.
struct Panics {
    before: Option<Hook>,
    _alone: MutexGuard<'static, ()>,
}

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Panics {
    fn watch() -> Panics {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        SEEN.lock().unwrap().clear();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(|panic| {
            let file = panic.location().map_or("", |at| at.file());
            let reads = ["wit-", "wasm", "componentize", "strategy/src"];
            if reads.iter().any(|part| file.contains(part)) {
                SEEN.lock().unwrap().push(panic.to_string());
            }
        }));
        Panics {
            before: Some(before),
            _alone: alone,
        }
    }

    #[track_caller]
    fn none(mut self) {
        if let Some(before) = self.before.take() {
            std::panic::set_hook(before);
        }
        assert_eq!(SEEN.lock().unwrap().join("\n"), "");
    }
}

#[test]
fn a_damaged_module_is_refused_or_encoded_and_nothing_panics() {
    let modules = ["change-detector", "merger", "batch-transformer"].map(module);
    let panics = Panics::watch();
    let mut seeded = Seeded(12);
    let (mut refused, mut encoded) = (0, 0);
    for round in 0..MODULES {
        let whole = &modules[seeded.below(modules.len())];
        match encode(&damage(whole, &mut seeded)) {
            Ok(_) => encoded += 1,
            Err(Error::Encode { reason }) => {
                assert!(!reason.is_empty());
                refused += 1;
            }
            Err(Error::NoComponentType) => refused += 1,
            Err(other) => panic!("round {round}: {other}"),
        }
    }
    panics.none();
    assert!(refused > MODULES / 4 && encoded > 0, "{refused} {encoded}");
}

/// Found by these mutations: the encoder followed the circle until the stack ended, which ends the process.
#[test]
fn packages_that_depend_on_each_other_in_a_circle_are_refused() {
    let error = encode(include_bytes!("seeds/packages-in-a-circle.wasm")).unwrap_err();
    assert!(error.to_string().contains("in a circle"), "{error}");
}

#[tokio::test]
async fn a_damaged_component_is_refused_and_nothing_panics() {
    let wholes = [
        hostile_component().to_vec(),
        dummy(&[CONTRACT], "change-detector"),
        module("merger"),
    ];
    let runtime = runtime();
    let panics = Panics::watch();
    let mut seeded = Seeded(13);
    let mut refused = 0;
    for _ in 0..COMPONENTS {
        let whole = &wholes[seeded.below(wholes.len())];
        let bytes = damage(whole, &mut seeded);
        match runtime.load("damaged", &bytes).await {
            Ok(_) => {}
            Err(StrategyError::Load { .. } | StrategyError::Trap { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    panics.none();
    assert!(refused > COMPONENTS / 4, "{refused}");
}
