//! `mssql://user:password@host:port/database?option=value`.

use percent_encoding::percent_decode_str;

use super::setting::{self, Setting};
use super::{Endpoint, Password};
use crate::error::{Result, SqlServerError};

/// Reads what stands behind `scheme://`.
///
/// An error never quotes the text: a password with an unescaped `/`, `?`, `#` or `@` can end up in any part.
pub(super) fn parse(scheme: &str, rest: &str) -> Result<Endpoint> {
    if !["mssql", "sqlserver"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return Err(
            SqlServerError::address("the URL's scheme is neither mssql nor sqlserver")
                .with_hint("write mssql://user:password@host:1433/database"),
        );
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains(['@', '#']) {
        return Err(
            SqlServerError::address("the URL has an '@' or '#' where none can be").with_hint(
                "percent-encode these in user and password: @ is %40, / is %2F, ? is %3F, # is %23",
            ),
        );
    }
    if authority.contains(';') {
        return Err(
            SqlServerError::address("the URL has a ';' where none can be").with_hint(
                "settings stand behind '?', with '&' between them: mssql://user:password@host:1433/database?encrypt=true; in user and password, ; is %3B",
            ),
        );
    }
    let mut endpoint = Endpoint::new();
    let address = match authority.rsplit_once('@') {
        Some((login, address)) => {
            let (user, password) = match login.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (login, None),
            };
            endpoint.user = Some(decode(user)?).filter(|user| !user.is_empty());
            endpoint.password = password.map(decode).transpose()?.map(Password);
            address
        }
        None => authority,
    };
    apply_address(address, &mut endpoint)?;
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, query),
        None => (tail, ""),
    };
    let path = path.trim_start_matches('/').trim_end_matches('/');
    if path.contains(['/', ';', '=', '&', ':']) {
        return Err(
            SqlServerError::address("the URL's path is not just the name of a database").with_hint(
                "write mssql://user:password@host:1433/database?name=value&name=value; in a name, / is %2F, : is %3A and ; is %3B",
            ),
        );
    }
    let database = decode(path)?;
    endpoint.database = (!database.is_empty()).then_some(database);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            SqlServerError::address("an option of the URL has no '='")
                .with_hint("write options as ?name=value&name=value")
        })?;
        let name = decode(name)?;
        let setting = Setting::from_name(&name).ok_or_else(|| setting::unknown(&name))?;
        if setting != Setting::Password && value.contains(['=', ';']) {
            return Err(SqlServerError::address(format!(
                "the value of '{name}' has an '=' or ';' in it"
            ))
            .with_hint("write & between settings; in a value, = is %3D and ; is %3B"));
        }
        setting.apply(&name, decode(value)?, &mut endpoint)?;
    }
    Ok(endpoint)
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn apply_address(address: &str, endpoint: &mut Endpoint) -> Result<()> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or_else(|| {
                SqlServerError::address("the bracket around the IPv6 address is not closed")
            })?;
            match behind.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if behind.is_empty() => (host, None),
                None => {
                    return Err(SqlServerError::address(
                        "something stands between the IPv6 address and the port",
                    ));
                }
            }
        }
        None => match address.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(
                    SqlServerError::address("the host and port cannot be told apart")
                        .with_hint("put an IPv6 address in brackets: mssql://[::1]:1433/database"),
                );
            }
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    endpoint.host = setting::host_name(&decode(host)?)?;
    if let Some(port) = port {
        endpoint.port = setting::port(port)?;
    }
    Ok(())
}

fn decode(text: &str) -> Result<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(SqlServerError::address(
            "a percent-encoded part of the URL is not UTF-8",
        )),
    }
}
