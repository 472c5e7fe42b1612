//! What operators write, and what authors hand in.

use std::path::Path;

use icehost_config::Config;
use icehost_sqlserver::Endpoint;

/// The text of a configuration file; whether it was taken.
pub fn configuration(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let shipped = ["timestamp", "id", "upsert", "append-only"];
    match Config::parse("icehost.toml", &text, Path::new("/nowhere"), &shipped) {
        Ok(config) => {
            let names: Vec<String> = config
                .pipelines()
                .iter()
                .map(|pipeline| pipeline.name.clone())
                .collect();
            assert_eq!(
                config.select(&names).map(|all| all.len()).ok(),
                Some(names.len())
            );
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.message.is_empty()));
            false
        }
    }
}

/// The address of a server; whether it was taken.
pub fn connection_string(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    match Endpoint::parse(&text) {
        Ok(endpoint) => {
            // What is shown of it leads to the same place, but for what may be a secret.
            let shown = endpoint.redacted();
            if !shown.contains('…') {
                let again = Endpoint::parse(&shown).map_err(|error| error.to_string());
                let place = |endpoint: &Endpoint| {
                    let Endpoint {
                        host,
                        port,
                        user,
                        database,
                        ..
                    } = endpoint.clone();
                    (host, port, user, database)
                };
                assert_eq!(again.as_ref().map(place), Ok(place(&endpoint)), "{shown}");
            }
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// A core module that may be a strategy; whether it became a component.
pub fn module(bytes: &[u8]) -> bool {
    match icehost_componentize::encode(bytes) {
        Ok(component) => {
            assert!(icehost_componentize::is_component(&component));
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[cfg(test)]
mod tests;
