//! `icehost-devserver`, the development SQL Server as a program.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use icehost_devserver::{DevServer, RunningServer, Tls};
use tracing_subscriber::EnvFilter;

mod script;

/// A development server that speaks SQL Server's protocol, for demo and tests.
///
/// It is not SQL Server: it keeps everything in memory and forgets it when it ends, knows a part of T-SQL, and
/// refuses what it does not know with an error that says so.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address and port to listen on; port 0 takes a free one, printed once it listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1433")]
    listen: String,

    /// The password of the logins.
    #[arg(long, env = "ICEHOST_DEVSERVER_PASSWORD", hide_env_values = true)]
    password: String,

    /// The name of the login that may do everything.
    #[arg(long, default_value = "sa")]
    user: String,

    /// The name of another login, which may read and nothing else.
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,

    /// A login that may read and write rows and do nothing else, with the same password
    #[arg(long, value_name = "USER")]
    writer: Option<String>,

    /// The server's name, MACHINE or MACHINE\INSTANCE, as @@SERVERNAME gives it.
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,

    /// A database to create; give it again for more.
    #[arg(long, value_name = "NAME")]
    database: Vec<String>,

    /// Encryption: as clients like, for all, or for none.
    #[arg(long, value_enum, default_value_t = Encryption::Offered)]
    tls: Encryption,

    /// Write the certificate here, in PEM, for clients that verify it.
    #[arg(long, value_name = "FILE")]
    cert_out: Option<PathBuf>,

    /// Keep results in up to this many MiB of memory and replay one when the same query comes again and the
    /// tables that it reads have not changed. For measuring clients rather than this server.
    #[arg(long, value_name = "MIB")]
    replay_results: Option<usize>,

    /// A T-SQL script to run before the server says that it listens; give it again for more. A line `GO` ends
    /// a batch.
    #[arg(long, value_name = "FILE")]
    run: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Encryption {
    Offered,
    Required,
    Off,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.what);
            if let Some(hint) = failure.hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, for the person who started the program.
struct Failure {
    what: String,
    hint: Option<String>,
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut builder = DevServer::builder()
        .user(arguments.user)
        .password(arguments.password)
        .listen(arguments.listen)
        .tls(match arguments.tls {
            Encryption::Offered => Tls::Offered,
            Encryption::Required => Tls::Required,
            Encryption::Off => Tls::None,
        });
    if let Some(mebibytes) = arguments.replay_results {
        builder = builder.replay_results(mebibytes.saturating_mul(1 << 20));
    }
    if let Some(reader) = arguments.reader {
        builder = builder.reader(reader);
    }
    if let Some(writer) = arguments.writer {
        builder = builder.writer(writer);
    }
    if let Some(name) = arguments.server_name {
        builder = builder.name(name);
    }
    for name in arguments.database {
        builder = builder.database(name);
    }
    let server = builder.start().await.map_err(|error| Failure {
        what: error.to_string(),
        hint: error.hint(),
    })?;
    if let Some(path) = &arguments.cert_out {
        std::fs::write(path, server.certificate_pem()).map_err(|error| Failure {
            what: format!(
                "writing the certificate to {} failed: {error}",
                path.display()
            ),
            hint: Some("name a file in a directory that exists and that you may write to".into()),
        })?;
    }
    for path in &arguments.run {
        script::run(&server, path).map_err(|what| Failure {
            what,
            hint: Some("the script runs batch by batch and stops at the first error".into()),
        })?;
    }
    announce(&server)?;
    wait_for_the_end().await?;
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

fn announce(server: &RunningServer) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", server.addr())
        .and_then(|()| out.flush())
        .map_err(|error| Failure {
            what: format!("writing to stdout failed: {error}"),
            hint: None,
        })
}

async fn wait_for_the_end() -> Result<(), Failure> {
    let signals = |error| Failure {
        what: format!("waiting for signals failed: {error}"),
        hint: None,
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
        tokio::select! {
            interrupt = tokio::signal::ctrl_c() => interrupt.map_err(signals),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(signals)
}
