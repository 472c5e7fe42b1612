//! `icehost plugin push`: a strategy into a registry.

use icehost_registry::{Access, Artifact, Client, Credentials, Reference, SigningKey, push};
use icehost_strategy::{Limits, Strategy};

use super::component;
use crate::args::{CacheArguments, Output, PushArguments};
use crate::failure::Failure;
use crate::render::line;

/// Most bytes of a key's file.
const MAX_KEY: u64 = 64 << 10;

/// Builds the strategy where it is a crate, checks that icehost loads it, and uploads it.
///
/// # Errors
/// What is no strategy, and what the registry says.
pub(super) async fn run(
    cache: &CacheArguments,
    arguments: &PushArguments,
    output: Output,
) -> Result<(), Failure> {
    let reference: Reference = arguments.reference.parse()?;
    let key = signing_key(arguments)?;
    let (name, bytes) = component(&arguments.path).await?;
    let runtime = cache.caches()?.runtime(Limits::default())?;
    let strategy = runtime.load(&name, &bytes).await?;
    let artifact = artifact(&strategy, bytes)?;
    let client = Client::open(
        &reference,
        Access::Push,
        Credentials::for_hosts([reference.host()]),
        arguments.plain_http,
    )
    .await?;
    let pushed = push(
        &client,
        &reference,
        &artifact,
        key.as_ref(),
        arguments.overwrite,
    )
    .await?;
    let signed_by = key.map(|key| key.public().fingerprint().qualified());
    match output {
        Output::Json => line(serde_json::json!({
            "reference": reference.to_string(),
            "manifest": pushed.manifest.qualified(),
            "sha256": pushed.sha256.to_string(),
            "size": artifact.bytes.len(),
            "signed_by": signed_by,
            "unchanged": pushed.unchanged,
        })),
        Output::Text => {
            let done = if pushed.unchanged {
                "there already:"
            } else {
                "pushed"
            };
            line(format!("{done} {reference}"));
            line(format!("  manifest   {}", pushed.manifest.qualified()));
            line(format!("  sha256     {}", pushed.sha256));
            if let Some(key) = signed_by {
                line(format!("  signed by  {key}"));
            }
        }
    }
    Ok(())
}

/// What is pushed is a component, also where a core module was built.
fn artifact(strategy: &Strategy, bytes: Vec<u8>) -> Result<Artifact, Failure> {
    let bytes = match icehost_componentize::is_component(&bytes) {
        true => bytes,
        false => icehost_componentize::encode(&bytes)?,
    };
    let description = strategy.description();
    Ok(Artifact {
        bytes,
        exports: strategy.exports().to_vec(),
        imports: strategy.imports().to_vec(),
        target: strategy.world(),
        title: description.name.clone(),
        version: description.version.clone(),
        description: description.summary.clone(),
    })
}

fn signing_key(arguments: &PushArguments) -> Result<Option<SigningKey>, Failure> {
    let (what, pem) = match (&arguments.sign_key, &arguments.sign_key_env) {
        (Some(path), _) => (
            icehost_untrusted::file_of_secret(path),
            icehost_untrusted::read_file_or_pipe(path, MAX_KEY).map_err(|error| error.to_string()),
        ),
        (None, Some(name)) => (
            icehost_untrusted::variable(name),
            std::env::var(name)
                .map(String::into_bytes)
                .map_err(|_| "it is not set, or is no text".to_owned()),
        ),
        (None, None) => return Ok(None),
    };
    let pem = pem.map_err(|why| {
        Failure::new(
            format!("cannot read the key to sign with from {what}: {why}"),
            "keep it where icehost can read it",
        )
    })?;
    Ok(Some(SigningKey::from_pem(&what, &pem)?))
}
