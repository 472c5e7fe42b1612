//! Runtimes, tables and components that the cases share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use icehost_componentize::{BuildOptions, build};
use icehost_plan::{Column, ColumnType, Features, Length, SqlType, Table};
use icehost_strategy::{ChangeDetector, Limits, Options, Runtime, RuntimeOptions, Strategy};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

/// The contract's text.
pub(crate) const CONTRACT: &str = include_str!("../../../../wit/strategy.wit");

pub(crate) fn runtime() -> Runtime {
    Runtime::new(RuntimeOptions::default()).unwrap()
}

pub(crate) fn runtime_with(limits: Limits) -> Runtime {
    Runtime::new(RuntimeOptions {
        limits,
        ..RuntimeOptions::default()
    })
    .unwrap()
}

pub(crate) fn limits_with_deadline(deadline: Duration) -> Limits {
    Limits {
        deadline,
        ..Limits::default()
    }
}

pub(crate) async fn shipped(runtime: &Runtime, name: &str) -> Strategy {
    let component = icehost_plugins::find(name).unwrap().component;
    runtime.load(name, component).await.unwrap()
}

pub(crate) fn options(strategy: &Strategy, pairs: &[(&str, &str)]) -> Options {
    Options::from_pairs(strategy, pairs).unwrap()
}

/// Where the components of this test binary are built; kept from run to run.
pub(crate) fn component_target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("components")
}

pub(crate) fn build_options() -> BuildOptions {
    BuildOptions {
        target_dir: Some(component_target_dir()),
        ..BuildOptions::default()
    }
}

/// The component in `tests/hostile`, built once per run.
pub(crate) fn hostile_component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
        match build(&path, &build_options()) {
            Ok(built) => built.component,
            Err(error) => panic!("{error}\nhint: {:?}", error.hint()),
        }
    })
}

pub(crate) async fn hostile(runtime: &Runtime) -> ChangeDetector {
    let strategy = runtime.load("hostile", hostile_component()).await.unwrap();
    strategy.as_change_detector().unwrap()
}

/// `dbo.Orders (Id int primary key, Name nvarchar(50) null, Weight float, ModifiedDate datetime2(7))`
pub(crate) fn orders() -> Table {
    let column = |name, sql, nullable| Column::new(name, ColumnType::Sql(sql), nullable);
    let mut id = column("Id", SqlType::Int, false);
    id.key_position = Some(0);
    Table {
        name: "dbo.Orders".to_owned(),
        columns: vec![
            id,
            column("Name", SqlType::NVarChar(Length::Limited(50)), true),
            column("Weight", SqlType::Float, false),
            column("ModifiedDate", SqlType::DateTime2(7), false),
        ],
        features: Features::default(),
        row_estimate: Some(1_000),
    }
}

/// A world in WIT text, which may use the packages that stand beside it.
pub(crate) fn world(texts: &[&str], name: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let mut last = None;
    for (i, text) in texts.iter().enumerate() {
        last = Some(resolve.push_str(format!("{i}.wit"), text).unwrap());
    }
    let world = resolve.select_world(&[last.unwrap()], Some(name)).unwrap();
    (resolve, world)
}

/// A component of this world whose functions all trap.
pub(crate) fn dummy(texts: &[&str], name: &str) -> Vec<u8> {
    let (resolve, world) = world(texts, name);
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let module = wit_component::dummy_module(&resolve, world, mangling);
    typed(module, &resolve, world)
}

/// A component of the core module in this text.
pub(crate) fn from_wat(text: &str, (resolve, world): &(Resolve, WorldId)) -> Vec<u8> {
    typed(wat::parse_str(text).unwrap(), resolve, *world)
}

/// The module with its component type embedded, made into a component.
fn typed(module: Vec<u8>, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    icehost_componentize::encode(&with_type(module, resolve, world)).unwrap()
}

pub(crate) fn with_type(mut module: Vec<u8>, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, resolve, world, encoding).unwrap();
    module
}
