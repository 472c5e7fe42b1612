//! What a component says and what the host found out about it.

use icehost_strategy::Strategy;

use crate::args::Output;
use crate::render::line;

/// Prints one strategy or several.
pub(crate) fn print_inspection(strategies: &[Strategy], output: Output) {
    match output {
        Output::Json => {
            let objects: Vec<serde_json::Value> = strategies.iter().map(object).collect();
            line(serde_json::json!({ "strategies": objects }));
        }
        Output::Text => {
            for (i, strategy) in strategies.iter().enumerate() {
                if i > 0 {
                    line("");
                }
                print_text(strategy);
            }
        }
    }
}

fn object(strategy: &Strategy) -> serde_json::Value {
    let description = strategy.description();
    serde_json::json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "kind": strategy.kind().world(),
        "world": strategy.world(),
        "imports": strategy.imports(),
        "exports": strategy.exports(),
        "options_schema": strategy.options_schema().json(),
        "size": strategy.size(),
        "sha256": strategy.digest(),
        "load_ms": strategy.load_time().as_secs_f64() * 1e3,
        "from_cache": strategy.from_cache(),
    })
}

fn print_text(strategy: &Strategy) {
    let description = strategy.description();
    line(format!("{} {}", description.name, description.version));
    line(format!("  {}", description.summary));
    line(format!("  world    {}", strategy.world()));
    line(format!("  imports  {}", list(strategy.imports())));
    line(format!("  size     {} bytes", strategy.size()));
    line(format!("  sha256   {}", strategy.digest()));
    let options = strategy.options_schema().options();
    if options.is_empty() {
        line("  options  none");
    } else {
        line("  options");
        for option in options {
            line(format!("    {option}"));
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
