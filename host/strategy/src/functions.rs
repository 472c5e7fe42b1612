//! The contract's functions in a component, found by their names and checked against their types.

use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower, TypedFunc};
use wasmtime::{AsContextMut, Error};

use crate::bindings::previous::{first, second};
use crate::bindings::{detection, merge, metadata, transform, types};
use crate::contract::{Kind, Version};

/// A function of an interface of the contract.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) interface: &'static str,
    pub(crate) name: &'static str,
}

const fn function(interface: &'static str, name: &'static str) -> Function {
    Function { interface, name }
}

pub(crate) const DESCRIBE: Function = function("metadata", "describe");
pub(crate) const PROBES: Function = function("change-detection", "probes");
pub(crate) const PLAN_EXTRACTION: Function = function("change-detection", "plan");
pub(crate) const ADVANCE: Function = function("change-detection", "advance");
pub(crate) const PLAN_MERGE: Function = function("merge", "plan");
pub(crate) const OPEN: Function = function("batch-transform", "open");
pub(crate) const APPLY: Function = function("batch-transform", "apply");

/// What a function of the contract returns.
pub(crate) type Returned<T> = Result<T, types::Error>;

impl Function {
    /// The function of an instance; an error where it is not there or of another type.
    pub(crate) fn of<P, R>(
        self,
        instance: &Instance,
        mut store: impl AsContextMut,
        version: Version,
    ) -> wasmtime::Result<TypedFunc<P, (R,)>>
    where
        P: ComponentNamedList + Lower,
        (R,): ComponentNamedList + Lift,
    {
        let interface = version.interface(self.interface);
        let missing = || {
            Error::msg(format!(
                "it exports no function {} of {interface}",
                self.name
            ))
        };
        let export = instance.get_export_index(&mut store, None, &interface);
        let export = export.ok_or_else(missing)?;
        let export = instance.get_export_index(&mut store, Some(&export), self.name);
        let export = export.ok_or_else(missing)?;
        instance
            .get_typed_func(&mut store, export)
            .map_err(|e| e.context(format!("{} of {interface} is of another type", self.name)))
    }
}

/// Whether an instance has the functions of its kind, and of the contract's types.
pub(crate) fn check(
    instance: &Instance,
    store: &mut impl AsContextMut,
    kind: Kind,
    version: Version,
) -> wasmtime::Result<()> {
    DESCRIBE.of::<(), metadata::Description>(instance, &mut *store, version)?;
    match (kind, version) {
        (Kind::ChangeDetector, version) => {
            match version {
                Version::Present => {
                    PROBES.of::<(detection::Context,), Returned<Vec<detection::Probe>>>(
                        instance,
                        &mut *store,
                        version,
                    )?;
                }
                Version::First | Version::Second => {
                    PROBES.of::<(detection::Context,), Returned<Vec<second::detection::Probe>>>(
                        instance,
                        &mut *store,
                        version,
                    )?;
                }
            }
            PLAN_EXTRACTION
                .of::<(detection::Context, Vec<types::Value>), Returned<detection::ExtractionPlan>>(
                    instance,
                    &mut *store,
                    version,
                )?;
            ADVANCE
                .of::<(detection::Context, detection::Outcome), Returned<detection::Watermark>>(
                    instance,
                    &mut *store,
                    version,
                )?;
        }
        (Kind::Merger, Version::First) => {
            PLAN_MERGE.of::<(types::Table, first::merge::Delta, String), Returned<first::merge::MergePlan>>(
                instance,
                &mut *store,
                version,
            )?;
        }
        (Kind::Merger, Version::Second | Version::Present) => {
            PLAN_MERGE.of::<(types::Table, merge::Delta, String), Returned<merge::MergePlan>>(
                instance,
                &mut *store,
                version,
            )?;
        }
        (Kind::BatchTransformer, _) => {
            OPEN.of::<(types::Table, String), Returned<transform::Transformation>>(
                instance,
                &mut *store,
                version,
            )?;
            APPLY.of::<(Vec<u8>,), Returned<transform::Transformed>>(
                instance,
                &mut *store,
                version,
            )?;
        }
    }
    Ok(())
}
