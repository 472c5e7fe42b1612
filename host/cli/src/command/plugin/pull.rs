//! `icehost plugin pull`: a strategy out of a registry.

use std::path::PathBuf;

use icehost_config::read_key;
use icehost_registry::{Access, Client, Credentials, Reference, pull};
use icehost_strategy::Limits;

use super::write;
use crate::args::{CacheArguments, Output, PullArguments};
use crate::failure::Failure;
use crate::render::{line, note, print_inspection};

/// Fetches a component, checks that it is a strategy, and writes it to a file.
///
/// # Errors
/// What the registry says, what is not what was announced, and what is no strategy.
pub(super) async fn run(
    cache: &CacheArguments,
    arguments: PullArguments,
    output: Output,
) -> Result<(), Failure> {
    let reference: Reference = arguments.reference.parse()?;
    let key = arguments.public_key.as_deref().map(read_key).transpose()?;
    let client = Client::open(
        &reference,
        Access::Pull,
        Credentials::for_hosts([reference.host()]),
        arguments.plain_http,
    )
    .await?;
    let pulled = pull(&client, &reference, key.as_ref()).await?;
    let runtime = cache.caches()?.runtime(Limits::default())?;
    let strategy = runtime.load(&reference.to_string(), &pulled.bytes).await?;
    let name = reference
        .repository()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let file = arguments
        .out
        .unwrap_or_else(|| PathBuf::from(format!("{name}.wasm")));
    write(&pulled.bytes, &file).await?;
    note(format_args!(
        "pulled {reference}, {}",
        pulled.locked.manifest.qualified()
    ));
    if let Some(key) = pulled.locked.signed_by {
        note(format_args!("signed by {}", key.qualified()));
    }
    note(format_args!("wrote {}", file.display()));
    match output {
        Output::Text => print_inspection(&[strategy], output),
        Output::Json => line(serde_json::json!({
            "reference": reference.to_string(),
            "manifest": pulled.locked.manifest.qualified(),
            "sha256": pulled.locked.sha256.to_string(),
            "size": pulled.locked.size,
            "signed_by": pulled.locked.signed_by.map(|key| key.qualified()),
            "strategy": strategy.description().name,
            "file": file,
        })),
    }
    Ok(())
}
