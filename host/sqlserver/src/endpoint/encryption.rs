//! How much of a connection is encrypted.

/// How much of the traffic is encrypted.
///
/// Words: SqlClient and ODBC 18 say `mandatory`, `optional` and `strict`; go-mssqldb adds `disable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Everything, with TLS negotiated inside TDS; fails where the server cannot.
    #[default]
    On,
    /// The login packet, and the rest only where the server insists. The certificate is then not verified,
    /// as with Microsoft's drivers, unless an authority is named.
    LoginOnly,
    /// Nothing.
    Off,
    /// Everything, with TLS before the first TDS packet (TDS 8.0).
    Strict,
}

impl Encryption {
    /// Reads the value of `encrypt`, in any case.
    pub(super) fn from_word(word: &str) -> Option<Encryption> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "mandatory" | "required" => Encryption::On,
            "false" | "no" | "off" | "0" | "optional" => Encryption::LoginOnly,
            "disable" | "disabled" | "not_supported" => Encryption::Off,
            "strict" => Encryption::Strict,
            _ => return None,
        })
    }
}
