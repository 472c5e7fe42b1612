//! Between the component's exports and a strategy's trait.

use std::marker::PhantomData;
use std::sync::Once;

use crate::bindings::base::exports::icehost::strategy::metadata;
use crate::bindings::detection::exports::icehost::strategy::change_detection as detection;
use crate::bindings::merge::exports::icehost::strategy::merge;
use crate::log::{Level, log};
use crate::{
    ChangeDetector, Context, Delta, Error, ExtractionPlan, MergeContext, MergePlan, Merger,
    Options, Outcome, Probe, Table, Value, Watermark, options,
};

/// Exports a [`ChangeDetector`] from the crate, which makes the crate a strategy.
///
/// Nothing is exported in a native build, so that tests link like any other crate's.
#[macro_export]
macro_rules! export_change_detector {
    ($strategy:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $crate::__private::DetectorAdapter<$strategy>;
            $crate::__private::base::export_base_bindings!(
                Exported with_types_in $crate::__private::base
            );
            $crate::__private::detection::export_detection_bindings!(
                Exported with_types_in $crate::__private::detection
            );
        };
    };
}

/// Exports a [`Merger`] from the crate, which makes the crate a strategy.
///
/// Nothing is exported in a native build, so that tests link like any other crate's.
#[macro_export]
macro_rules! export_merger {
    ($strategy:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $crate::__private::MergerAdapter<$strategy>;
            $crate::__private::base::export_base_bindings!(
                Exported with_types_in $crate::__private::base
            );
            $crate::__private::merge::export_merge_bindings!(
                Exported with_types_in $crate::__private::merge
            );
        };
    };
}

#[doc(hidden)]
pub struct DetectorAdapter<T>(PhantomData<T>);

#[doc(hidden)]
pub struct MergerAdapter<T>(PhantomData<T>);

/// A panic ends as a bare `unreachable` trap; the host's log is the only place for its message.
pub(crate) fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string(), &[])));
    });
}

/// What a strategy with these options says about itself.
pub(crate) fn description<O: Options>(
    name: &str,
    version: &str,
    summary: &str,
) -> metadata::Description {
    report_panics();
    metadata::Description {
        name: name.to_owned(),
        version: version.to_owned(),
        summary: summary.to_owned(),
        options_schema: O::schema().to_string(),
    }
}

impl<T: ChangeDetector> metadata::Guest for DetectorAdapter<T> {
    fn describe() -> metadata::Description {
        description::<T::Options>(T::NAME, T::VERSION, T::SUMMARY)
    }
}

impl<T: Merger> metadata::Guest for MergerAdapter<T> {
    fn describe() -> metadata::Description {
        description::<T::Options>(T::NAME, T::VERSION, T::SUMMARY)
    }
}

fn context<O: Options>(context: detection::Context) -> Result<Context<O>, Error> {
    report_panics();
    Ok(Context {
        options: options::parse(&context.options)?,
        table: context.table,
        watermark: context.watermark,
    })
}

impl<T: ChangeDetector> detection::Guest for DetectorAdapter<T> {
    fn probes(shown: detection::Context) -> Result<Vec<Probe>, Error> {
        T::probes(&context(shown)?)
    }

    fn plan(shown: detection::Context, readings: Vec<Value>) -> Result<ExtractionPlan, Error> {
        T::plan(&context(shown)?, &readings)
    }

    fn advance(shown: detection::Context, outcome: Outcome) -> Result<Watermark, Error> {
        T::advance(&context(shown)?, &outcome)
    }
}

impl<T: Merger> merge::Guest for MergerAdapter<T> {
    fn plan(target: Table, delta: Delta, options: String) -> Result<MergePlan, Error> {
        report_panics();
        let options = options::parse(&options)?;
        T::plan(&MergeContext {
            target,
            delta,
            options,
        })
    }
}
